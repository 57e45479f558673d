import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { asStored, bringToLife, isExpiring, isOtherSubject, isSameCredential, remainingMs } from '../../src/live.ts'
import type { StoredSession } from '../../src/ports.ts'

const MARGIN = 30_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const session = (expiresInMs?: number): StoredSession => ({
  sessionId: 's',
  version: 1,
  tokens: { accessToken: 'a', ...(expiresInMs !== undefined && { expiresAt: Date.now() + expiresInMs }) },
})

/** After how many milliseconds tokens are refreshed, with the jitter at its least or at its most. */
function refreshedAfterMs(lifetimeMs: number, isFresh: boolean, jitter: number, marginMs = MARGIN): number {
  vi.spyOn(Math, 'random').mockReturnValue(jitter)
  const live = bringToLife(session(lifetimeMs), isFresh)
  let [early, late] = [0, lifetimeMs]
  const startedAt = performance.now()
  while (late - early > 1) {
    const middle = Math.floor((early + late) / 2)
    vi.spyOn(performance, 'now').mockReturnValue(startedAt + middle)
    if (isExpiring(live, marginMs)) late = middle
    else early = middle
  }
  return late
}

describe('isExpiring', () => {
  it.each([
    ['an hour: the margin', 3_600_000, 3_600_000 - MARGIN],
    ['five minutes: the margin is a tenth', 300_000, 270_000],
    ['a minute: a tenth of it', 60_000, 54_000],
    ['five seconds: a tenth of it', 5000, 4500],
  ])('R4 fresh tokens of %s', (_, lifetimeMs, refreshedAt) => {
    expect(refreshedAfterMs(lifetimeMs, true, 0)).toBeCloseTo(refreshedAt, -1)
  })

  it.each([
    ['an hour: up to five minutes earlier', 3_600_000, 3_600_000 - MARGIN - 300_000],
    ['a day: no more than five minutes earlier', 86_400_000, 86_400_000 - MARGIN - 300_000],
    ['five minutes: up to a tenth earlier', 300_000, 243_000],
    ['five seconds: up to a tenth earlier', 5000, 4050],
  ])('T4 jitter for fresh tokens of %s', (_, lifetimeMs, refreshedAt) => {
    expect(refreshedAfterMs(lifetimeMs, true, 0.9999999)).toBeCloseTo(refreshedAt, -1)
  })

  it.each([3_600_000, 60_000, 31_000])(
    'R4 tokens of which nobody knows the lifetime have the whole margin: %i ms left',
    (leftMs) => {
      expect(refreshedAfterMs(leftMs, false, 0)).toBeCloseTo(leftMs - MARGIN, -1)
    },
  )

  it('T4 jitter for tokens of which nobody knows the lifetime: a tenth of the time before the margin', () => {
    expect(refreshedAfterMs(130_000, false, 0.9999999)).toBeCloseTo(130_000 - MARGIN - 10_000, -1)
  })

  it('R4 a margin of 0 waits for the end itself', () => {
    expect(refreshedAfterMs(60_000, true, 0.9, 0)).toBeCloseTo(60_000, -1)
  })

  it('R4 tokens without an expiry never are', () => {
    const live = bringToLife(session(), true)
    vi.setSystemTime(Date.now() + 1e12)
    expect(isExpiring(live, MARGIN)).toBe(false)
    expect(remainingMs(live)).toBe(Number.POSITIVE_INFINITY)
  })

  it.each([0, -1, -1e12])('T2 fresh tokens that seem expired already (%d ms) are believed to be good', (leftMs) => {
    expect(isExpiring(bringToLife(session(leftMs), true), MARGIN)).toBe(false)
  })

  it('T2 stored tokens that have expired are not', () => {
    expect(isExpiring(bringToLife(session(-1), false), MARGIN)).toBe(true)
  })

  it('T2 a cookie session never is', () => {
    expect(isExpiring(bringToLife({ sessionId: 's', version: 1, tokens: null }, true), MARGIN)).toBe(false)
  })
})

describe('remainingMs', () => {
  it('T1 believes the clock that is further on: either of them may have slept', () => {
    const live = bringToLife(session(100_000), true)
    vi.setSystemTime(Date.now() + 60_000)
    expect(remainingMs(live)).toBe(40_000)
    vi.setSystemTime(Date.now() - 120_000)
    expect(remainingMs(live)).toBe(100_000)
    vi.advanceTimersByTime(70_000)
    expect(remainingMs(live)).toBe(30_000)
  })
})

describe('isSameCredential', () => {
  const of = (accessToken: string | null, version = 1, sessionId = 's'): StoredSession => ({
    sessionId,
    version,
    tokens: accessToken === null ? null : { accessToken },
  })
  it.each([
    ['the same record', of('a'), of('a'), true],
    ['a version on, the same token', of('a', 1), of('a', 2), true],
    ['a version on, another token', of('a', 1), of('b', 2), false],
    ['another session with the same token', of('a'), of('a', 1, 't'), false],
    ['a cookie session that was refreshed', of(null, 1), of(null, 2), false],
    ['the same cookie session', of(null), of(null), true],
  ])('R3 %s', (_, one, two, expected) => {
    expect(isSameCredential(one, two)).toBe(expected)
    expect(isSameCredential(two, one)).toBe(expected)
  })
})

describe('isOtherSubject', () => {
  const of = (subject?: string) => ({ accessToken: 'a', ...(subject !== undefined && { subject }) })
  it.each([
    [of('ann'), of('bob'), true],
    [of('ann'), of('ann'), false],
    [of('ann'), of(), false],
    [of(), of('bob'), false],
    [of('ann'), null, false],
    [null, undefined, false],
  ])('L2 %o, %o: %s', (one, two, expected) => {
    expect(isOtherSubject(one, two)).toBe(expected)
  })
})

describe('asStored', () => {
  it('S1 leaves out what only memory knows', () => {
    const stored = session(5000)
    expect(asStored(bringToLife(stored, true))).toEqual(stored)
  })
})
