import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { after, monotonicNow, sleep, wallNow, within } from '../../src/clock.ts'

const DAY = 86_400_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('after', () => {
  it('T2 runs its task when the time has come, once', () => {
    const task = vi.fn()
    after(1000, task)
    vi.advanceTimersByTime(999)
    expect(task).not.toHaveBeenCalled()
    vi.advanceTimersByTime(DAY)
    expect(task).toHaveBeenCalledTimes(1)
  })

  it('T2 can be cancelled, before and after', () => {
    const task = vi.fn()
    const cancel = after(1000, task)
    cancel()
    cancel()
    vi.advanceTimersByTime(DAY)
    expect(task).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([30, 60, 365])('T2 waits %i days, though a timer keeps 32 bits', (days) => {
    const task = vi.fn()
    after(days * DAY, task)
    vi.advanceTimersByTime(days * DAY - 1)
    expect(task).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(task).toHaveBeenCalledTimes(1)
  })

  it('T2 can be cancelled in its second leg', () => {
    const task = vi.fn()
    const cancel = after(60 * DAY, task)
    vi.advanceTimersByTime(40 * DAY)
    cancel()
    vi.advanceTimersByTime(60 * DAY)
    expect(task).not.toHaveBeenCalled()
  })

  it('T2 forever is no overflow', () => {
    const task = vi.fn()
    after(Number.POSITIVE_INFINITY, task)
    vi.advanceTimersByTime(100 * DAY)
    expect(task).not.toHaveBeenCalled()
  })

  it.each([0, -1, -1e20, Number.NEGATIVE_INFINITY])('T2 %d ms is the next turn, not this one', (delayMs) => {
    const task = vi.fn()
    after(delayMs, task)
    expect(task).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(task).toHaveBeenCalledTimes(1)
  })

  it('T2 holds no process, unless somebody waits for it', () => {
    vi.useRealTimers()
    const timers: NodeJS.Timeout[] = []
    const real = globalThis.setTimeout
    const spy = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((task: () => void, ms: number) => {
      const timer = real(task, ms)
      timers.push(timer)
      return timer
    }) as never)
    const ends = [after(DAY, () => {}), after(DAY, () => {}, true)]
    expect(timers.map((timer) => timer.hasRef())).toEqual([false, true])
    for (const end of ends) end()
    spy.mockRestore()
  })

  it('T2 works where a timer is a number, as in browsers', () => {
    const spy = vi.spyOn(globalThis, 'setTimeout').mockReturnValue(7 as never)
    expect(() => after(10, () => {})()).not.toThrow()
    spy.mockRestore()
  })
})

describe('within', () => {
  it('R6 settles as the work does', async () => {
    await expect(within(Promise.resolve('done'), 1000, () => 'late')).resolves.toBe('done')
    await expect(within(Promise.reject(new Error('failed')), 1000, () => 'late')).rejects.toThrow('failed')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('R6 rejects with what onLate says, once the time is up', async () => {
    const onLate = vi.fn(() => new Error('late'))
    const outcome = within(new Promise(() => {}), 1000, onLate).catch((error) => error.message)
    await vi.advanceTimersByTimeAsync(999)
    expect(onLate).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(await outcome).toBe('late')
  })

  it('R6 work that fails after its time is nobody’s unhandled rejection', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const work = new Promise((_, reject) => setTimeout(reject, 2000, new Error('too late')))
    const outcome = within(work, 1000, () => 'late').catch((reason) => reason)
    await vi.advanceTimersByTimeAsync(3000)
    expect(await outcome).toBe('late')
    vi.useRealTimers()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe('sleep', () => {
  it('T1 resolves when the time has come', async () => {
    const woke = vi.fn()
    void sleep(500).then(woke)
    await vi.advanceTimersByTimeAsync(499)
    expect(woke).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(woke).toHaveBeenCalledTimes(1)
  })

  it.each([0, -5, Number.NaN])('T1 %d ms needs no timer', async (delayMs) => {
    await sleep(delayMs)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('the two clocks', () => {
  it('T1 one can be set, the other cannot', () => {
    const [wall, monotonic] = [wallNow(), monotonicNow()]
    vi.setSystemTime(wall + 7_200_000)
    expect(wallNow() - wall).toBe(7_200_000)
    expect(monotonicNow()).toBe(monotonic)
    vi.advanceTimersByTime(10)
    expect(monotonicNow() - monotonic).toBe(10)
  })
})
