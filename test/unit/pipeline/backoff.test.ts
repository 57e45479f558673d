import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AuthError } from '../../../src/errors.ts'
import { Backoff } from '../../../src/pipeline/backoff.ts'

const failure = (retryAfterMs?: number): AuthError =>
  new AuthError('refresh-unavailable', 'down', { retryable: true, retryAfterMs, cause: 'why' })

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(0)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('Backoff', () => {
  it('R7 lets everything through at first, and after one failure', () => {
    const backoff = new Backoff()
    expect(backoff.refusal()).toBeNull()
    expect(backoff.isProbing()).toBe(false)
    backoff.failed(failure(3_600_000))
    expect(backoff.refusal()).toBeNull()
    expect(backoff.isProbing()).toBe(false)
  })

  it('R7 refuses from the second failure on, with what is left of the pause and why', () => {
    const backoff = new Backoff()
    backoff.failed(failure())
    backoff.failed(failure())
    expect(backoff.refusal()).toMatchObject({
      code: 'refresh-unavailable',
      message: 'down',
      cause: 'why',
      retryable: true,
      retryAfterMs: 5000,
    })
    vi.advanceTimersByTime(4999)
    expect(backoff.refusal()).toMatchObject({ retryAfterMs: 1 })
    vi.advanceTimersByTime(1)
    expect(backoff.refusal()).toBeNull()
    expect(backoff.isProbing()).toBe(true)
  })

  it('R7 doubles the pause to a minute', () => {
    const backoff = new Backoff()
    backoff.failed(failure())
    const pauses = Array.from({ length: 8 }, () => {
      backoff.failed(failure())
      return backoff.refusal()?.retryAfterMs
    })
    expect(pauses).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000, 60_000])
  })

  it('R7 goes on counting through thousands of failures', () => {
    const backoff = new Backoff()
    for (let count = 0; count < 5000; count++) backoff.failed(failure())
    expect(backoff.refusal()?.retryAfterMs).toBe(60_000)
  })

  it('R7 adds up to a fifth', () => {
    vi.mocked(Math.random).mockReturnValue(0.999)
    const backoff = new Backoff()
    backoff.failed(failure())
    backoff.failed(failure())
    expect(backoff.refusal()?.retryAfterMs).toBeGreaterThan(5900)
    expect(backoff.refusal()?.retryAfterMs).toBeLessThanOrEqual(6000)
  })

  it('R7 takes the server’s word where that is longer', () => {
    const backoff = new Backoff()
    backoff.failed(failure())
    backoff.failed(failure(90_000))
    expect(backoff.refusal()?.retryAfterMs).toBe(90_000)
    backoff.failed(failure(1))
    expect(backoff.refusal()?.retryAfterMs).toBe(10_000)
  })

  it('R7 keeps saying that a retry is of no use where it is not', () => {
    const backoff = new Backoff()
    const misconfigured = new AuthError('refresh-unavailable', 'invalid_client', { retryable: false })
    backoff.failed(misconfigured)
    backoff.failed(misconfigured)
    expect(backoff.refusal()).toMatchObject({ retryable: false, message: 'invalid_client' })
  })

  it('R7 forgets everything on reset', () => {
    const backoff = new Backoff()
    for (let count = 0; count < 4; count++) backoff.failed(failure())
    backoff.reset()
    expect(backoff.refusal()).toBeNull()
    expect(backoff.isProbing()).toBe(false)
    backoff.failed(failure())
    expect(backoff.refusal()).toBeNull()
    backoff.failed(failure())
    expect(backoff.refusal()?.retryAfterMs).toBe(5000)
  })

  it('T1 a wall clock that jumps shortens no pause', () => {
    const backoff = new Backoff()
    backoff.failed(failure())
    backoff.failed(failure())
    vi.setSystemTime(Date.now() + 7_200_000)
    expect(backoff.refusal()?.retryAfterMs).toBe(5000)
  })
})
