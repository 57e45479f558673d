import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { retryAfterMs } from '../../../src/http/retry-after.ts'

const DAY = 86_400_000
/** Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 §5.6.7. */
const EXAMPLE = 784_111_777_000

describe('delay-seconds', () => {
  it.each([
    ['0', 0],
    ['1', 1000],
    ['120', 120_000],
    ['007', 7000],
    ['86400', DAY],
    ['86401', DAY],
    ['9007199254740993', DAY],
    ['9'.repeat(400), DAY],
  ])('E5 Retry-After %j waits %i ms', (value, waitMs) => {
    expect(retryAfterMs(value, EXAMPLE)).toBe(waitMs)
  })
})

describe('HTTP-date', () => {
  const forms = [
    ['IMF-fixdate', 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ['RFC 850', 'Sunday, 06-Nov-94 08:49:37 GMT'],
    ['asctime', 'Sun Nov  6 08:49:37 1994'],
  ] as const

  it.each(forms)('E5 Retry-After as %s: %s', (_, value) => {
    expect(retryAfterMs(value, EXAMPLE - 30_000)).toBe(30_000)
    expect(retryAfterMs(value, EXAMPLE)).toBe(0)
    expect(retryAfterMs(value, EXAMPLE + 1)).toBe(0)
    expect(retryAfterMs(value, EXAMPLE - DAY)).toBe(DAY)
    expect(retryAfterMs(value, EXAMPLE - DAY - 1)).toBe(DAY)
    expect(retryAfterMs(value, 0)).toBe(DAY)
  })

  it.each([
    ['leap day of a year divisible by 4', 'Thu, 29 Feb 2024 12:00:00 GMT', Date.UTC(2024, 1, 29, 12)],
    ['leap day of a year divisible by 400', 'Tue, 29 Feb 2000 00:00:00 GMT', Date.UTC(2000, 1, 29)],
    ['the day after a February of 28 days', 'Mon, 01 Mar 2100 00:00:00 GMT', Date.UTC(2100, 2, 1)],
    ['the last second of a year', 'Fri, 31 Dec 2027 23:59:59 GMT', Date.UTC(2027, 11, 31, 23, 59, 59)],
    ['a leap second', 'Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1)],
    ['the epoch', 'Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['a day of the week that is not the right one', 'Mon, 06 Nov 1994 08:49:37 GMT', EXAMPLE],
    ['asctime with a day of two digits', 'Wed Nov 16 08:49:37 1994', EXAMPLE + 10 * DAY],
  ])('E5 Retry-After knows %s', (_, value, instant) => {
    expect(retryAfterMs(value, instant - 5000)).toBe(5000)
  })

  it.each([
    ['Friday, 31-Dec-99 23:59:59 GMT', Date.UTC(2000, 0, 1), 0],
    ['Saturday, 01-Jan-00 00:00:30 GMT', Date.UTC(2000, 0, 1), 30_000],
    ['Saturday, 01-Jan-00 00:00:30 GMT', Date.UTC(1999, 11, 31, 23, 59, 59), 31_000],
    ['Wednesday, 01-Jan-75 00:00:30 GMT', Date.UTC(2026, 5, 1), DAY], // 2075, 49 years ahead
    ['Wednesday, 01-Jan-78 00:00:30 GMT', Date.UTC(2026, 5, 1), 0], // 1978, not 52 years ahead
    ['Sunday, 06-Nov-94 08:49:37 GMT', Date.UTC(2094, 10, 6, 8, 49), 37_000],
  ])('E5 Retry-After takes the year of %j for the nearest (RFC 9110 §5.6.7)', (value, nowMs, waitMs) => {
    expect(retryAfterMs(value, nowMs)).toBe(waitMs)
  })

  it('E5 Retry-After leaves a year of four digits as it is', () => {
    expect(retryAfterMs('Tue, 06 Nov 1894 08:49:37 GMT', EXAMPLE - 30_000)).toBe(0)
    expect(retryAfterMs('Sun, 06 Nov 0094 08:49:37 GMT', EXAMPLE - 30_000)).toBe(0)
    expect(retryAfterMs('Sat, 06 Nov 2094 08:49:37 GMT', EXAMPLE)).toBe(DAY)
  })

  it('E5 Retry-After agrees with the platform about every second of nine millennia', () => {
    const instants = fc.integer({ min: Date.UTC(1000, 0) / 1000, max: Date.UTC(9999, 11) / 1000 })
    const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
    fc.assert(
      fc.property(instants, fc.integer({ min: 1, max: DAY }), (seconds, waitMs) => {
        const date = new Date(seconds * 1000)
        const nowMs = seconds * 1000 - waitMs
        const imf = date.toUTCString()
        const [, weekday, day, month, year, time] = /^(\w+), (\d+) (\w+) (\d+) (\S+)/.exec(imf) as string[]
        expect(retryAfterMs(imf, nowMs)).toBe(waitMs)
        expect(retryAfterMs(`${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`, nowMs)).toBe(
          waitMs,
        )
        const rfc850 = `${days[date.getUTCDay()]}, ${day}-${month}-${year?.slice(2)} ${time} GMT`
        expect(retryAfterMs(rfc850, nowMs)).toBe(waitMs)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('anything else', () => {
  it.each([
    '',
    ' ',
    '-1',
    '+1',
    '1.5',
    '1,5',
    '1e3',
    '0x10',
    '1_000',
    ' 120',
    '120 ',
    '120\n',
    '120, 120',
    '120s',
    '٣',
    '１２０',
    'soon',
    'NaN',
    'Infinity',
    'null',
    '2024-02-29T12:00:00Z',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 06 Nov 1994 08:49:37 gmt',
    'Sun, 06 Nov 94 08:49:37 GMT',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06  Nov 1994 08:49:37 GMT',
    'Sun,06 Nov 1994 08:49:37 GMT',
    'Sun, 06 nov 1994 08:49:37 GMT',
    'Sun, 06 NOV 1994 08:49:37 GMT',
    'sun, 06 Nov 1994 08:49:37 GMT',
    'Xyz, 06 Nov 1994 08:49:37 GMT',
    'x Sun, 06 Nov 1994 08:49:37 GMT',
    '1Sun, 06 Nov 1994 08:49:37 GMT',
    '06 Nov 1994 08:49:37 GMT',
    'Sun, 06-Nov-1994 08:49:37 GMT',
    'Sun, 06-Nov-94 08:49:37 GMT',
    'Sunday, 06-Nov-1994 08:49:37 GMT',
    'Sunday, 06 Nov 1994 08:49:37 GMT',
    'Sun Nov 6 08:49:37 1994',
    'Sun Nov 06 08:49:37 1994 GMT',
    'Sun Nov  6 08:49:37 94',
    'Sun, 06 N-- 1994 08:49:37 GMT',
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 06 Ebm 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 31 Nov 1994 08:49:37 GMT',
    'Sun, 32 Dec 1994 08:49:37 GMT',
    'Sun, 30 Feb 2024 08:49:37 GMT',
    'Sun, 29 Feb 2023 08:49:37 GMT',
    'Sun, 29 Feb 2100 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:00 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT',
    'Sun, 06 Nov 1994 08:49 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT ',
    'Sun, 06 Nov 1994 08:49:37 GMT, 120',
  ])('E5 Retry-After %j is none', (value) => {
    expect(retryAfterMs(value, EXAMPLE)).toBeNull()
  })

  it('E5 no Retry-After is none', () => {
    expect(retryAfterMs(null, EXAMPLE)).toBeNull()
    expect(retryAfterMs(undefined as never, EXAMPLE)).toBeNull()
    expect(retryAfterMs(120 as never, EXAMPLE)).toBeNull()
  })

  it('E5 Retry-After never throws, and gives null or 0 to a day', () => {
    const nearly = fc
      .tuple(
        fc.constantFrom('Sun, ', 'Sunday, ', 'Sun '),
        fc.constantFrom('06 Nov 1994', '06-Nov-94', 'Nov  6', '31 Feb 0000', '99-Jan-99', '01 Jan 0000'),
        fc.constantFrom(' 08:49:37', ' 99:99:99', ' 23:59:60'),
        fc.constantFrom(' GMT', ' 1994', ' 0000', ''),
      )
      .map((parts) => parts.join(''))
    const values = fc.oneof(fc.anything(), fc.string({ unit: 'grapheme' }), fc.nat().map(String), nearly)
    const clocks = fc.oneof(
      fc.double(),
      fc.constantFrom(0, -1, EXAMPLE, 8.64e15, -8.64e15, Number.NaN, Infinity, -Infinity),
    )
    fc.assert(
      fc.property(values, clocks, (value, nowMs) => {
        const waitMs = retryAfterMs(value as string, nowMs)
        if (waitMs === null) return
        expect(waitMs).toBeGreaterThanOrEqual(0)
        expect(waitMs).toBeLessThanOrEqual(DAY)
      }),
      { numRuns: 10_000 },
    )
  })
})
