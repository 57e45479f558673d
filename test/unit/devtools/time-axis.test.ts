// Where an instant lies on the axis, in percent; what is labelled, and what is cut.
import { describe, expect, it } from 'vitest'
import { begin, type Entry, finish, type PhaseKind } from '../../../src/devtools/entry.ts'
import { axisOf } from '../../../src/devtools/time-axis.ts'
import { countdown, duration } from '../../../src/devtools/wording.ts'

/** A request with these phases, one after the other. */
function entry(startedAt: number, ...phases: [kind: PhaseKind, ms: number | null][]): Entry {
  const it: Entry = {
    serial: 1,
    what: 'request',
    method: 'GET',
    name: '/',
    url: '',
    startedAt,
    endedAt: null,
    phases: [],
    marks: new Set(),
    outcome: '',
    tone: 'open',
    facts: new Map(),
  }
  let at: number | null = startedAt
  for (const [kind, ms] of phases) {
    begin(it, kind, 'sent', at ?? 0)
    at = ms === null ? null : (at ?? 0) + ms
  }
  if (at !== null) finish(it, at, '', 'good')
  return it
}

describe('axisOf', () => {
  it('is linear, from the first instant to the next round number of milliseconds', () => {
    const axis = axisOf([entry(1000, ['sent', 100]), entry(1050, ['sent', 340])], 9999)
    expect([1000, 1050, 1200, 1400].map(axis.place)).toEqual([0, 12.5, 50, 100])
    expect(axis.ticks.map(({ label }) => label)).toEqual(['0 ms', '100 ms', '200 ms', '300 ms'])
    expect(axis.cuts).toEqual([])
  })

  it('grows in steps, so that what is drawn already stays where it is', () => {
    const live = (now: number): number => axisOf([entry(0, ['sent', 100], ['waits', null])], now).place(100)
    expect(live(210)).toBe(live(249))
    expect(live(260)).toBeLessThan(live(249))
  })

  it('cuts the time that people take, and says how long it was', () => {
    const parked = entry(0, ['rejected', 50], ['login', 60_000], ['replay', 50])
    const axis = axisOf([parked], 99_999)
    expect(axis.cuts).toEqual([{ place: expect.closeTo(44), width: 12, label: '+ 1 min 00 s' }])
    expect(axis.place(50)).toBeCloseTo(44)
    expect(axis.place(30_050)).toBeCloseTo(50)
    expect(axis.place(60_100)).toBeCloseTo(100)
  })

  it('does not cut what machines take, nor where another request was under way', () => {
    expect(axisOf([entry(0, ['sent', 5000])], 9999).cuts).toEqual([])
    const parked = entry(0, ['rejected', 50], ['login', 5000], ['replay', 50])
    expect(axisOf([parked, entry(0, ['sent', 5000])], 9999).cuts).toEqual([])
  })

  it('ends in a cut while somebody is at the login page', () => {
    const axis = axisOf([entry(0, ['rejected', 50], ['login', null])], 30_050)
    expect(axis.cuts).toEqual([{ place: expect.closeTo(88), width: 12, label: '+ 30.0 s' }])
    expect(axis.place(30_050)).toBeCloseTo(100)
  })

  it('keeps room for the rest however often it is cut', () => {
    const calls = Array.from({ length: 20 }, (_, index) => entry(index * 2000, ['rejected', 10], ['login', 1990]))
    const axis = axisOf(calls, 99_999)
    const cut = axis.cuts.reduce((sum, { width }) => sum + width, 0)
    expect(axis.cuts).toHaveLength(20)
    expect(cut).toBeCloseTo(36)
  })

  it('is an axis even where nothing took any time', () => {
    const axis = axisOf([entry(5)], 5)
    expect(axis.place(5)).toBe(0)
    expect(axis.ticks).toEqual([{ place: 0, label: '0 ms' }])
  })
})

describe('wording', () => {
  it.each([
    [0, '0 ms'],
    [999.4, '999 ms'],
    [999.6, '1.00 s'],
    [9994, '9.99 s'],
    [9996, '10.0 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min 00 s'],
    [185_000, '3 min 05 s'],
  ])('duration(%d) is %s', (ms, text) => expect(duration(ms)).toBe(text))

  it.each([
    [900, '0:01'],
    [299_000, '4:59'],
    [3_723_000, '1:02:03'],
    [2_592_000_000, '30 d 0 h'],
  ])('countdown(%d) is %s', (ms, text) => expect(countdown(ms)).toBe(text))
})
