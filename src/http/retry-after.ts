/**
 * The grammar of `Retry-After`: a field value in, a wait in milliseconds out (RFC 9110 §10.2.3). A pure function of what it is
 * given: it reads no clock, hands nothing to a loose parser, and its answer is never negative, endless or NaN.
 */

/** A mistyped header may slow a client down for a day, but not put it out of service for weeks. */
const LONGEST_WAIT_MS = 86_400_000

// IMF-fixdate, the RFC 850 form, the asctime form: a recipient must accept all three (RFC 9110 §5.6.7). That the day of the
// week fits the date is not checked: a server that gets it wrong still says when.
const HTTP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:(?:, \d\d [A-Z][a-z]{2} \d{4}|(?:s|nes|rs|ur)?day, \d\d-[A-Z][a-z]{2}-\d\d) \d\d:\d\d:\d\d GMT| [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})$/

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'
const AVERAGE_YEAR_MS = 31_556_952_000
const DAYS_BEFORE_1970 = 719_469

/** Days before a month; months are counted from the March of year 0. */
function daysUntil(months: number): number {
  // A year that begins with March has its leap day at the end, where it shifts no month.
  const year = Math.trunc(months / 12)
  const leapDays = (year >> 2) - Math.trunc(year / 100) + Math.trunc(year / 400)
  return year * 365 + leapDays + Math.trunc(((months % 12) * 153 + 2) / 5)
}

/** Unix milliseconds; NaN where the grammar or the calendar knows no such date. */
function parseHttpDate(value: string, nowMs: number): number {
  if (!HTTP_DATE.test(value)) return NaN
  const fields = value.split(/[ ,:-]+/)
  // asctime alone ends with the year and names no zone: brought into the order of the others.
  if (!fields[7]) fields.splice(1, 2, fields[2] as string, fields[1] as string, fields.pop() as string)
  const [, day, , year, hour, minute, second] = fields.map(Number) as [0, number, 0, number, number, number, number]

  // Two digits name the last such year that is no more than 50 years ahead, so `99` read in 2000 has passed.
  const centuries = fields[3]?.[2] ? 0 : Math.trunc((nowMs / AVERAGE_YEAR_MS + 2020 - year) / 100)
  const months = (year + centuries * 100) * 12 + MONTHS.indexOf(fields[2] as string) / 3 - 2
  const days = daysUntil(months) + day
  // No month of that name leaves a fraction; 30 February ends after the last day before March; 60 is a leap second.
  const isOnCalendar = months % 1 === 0 && day > 0 && days <= daysUntil(months + 1)
  if (!isOnCalendar || hour > 23 || minute > 59 || second > 60) return NaN
  return ((((days - DAYS_BEFORE_1970) * 24 + hour) * 60 + minute) * 60 + second) * 1000
}

/**
 * Says how long a server wants to be left alone.
 *
 * @param value The `Retry-After` field: seconds or an HTTP-date; null where the response has none.
 * @param nowMs Unix milliseconds, what a date is measured against.
 * @returns Milliseconds, from 0 (a date that has passed) to 86 400 000 (a day, also for anything longer); null where the field
 *   is missing or follows neither form. Never throws.
 * @see RFC 9110 §10.2.3 (the field), §5.6.7 (dates)
 * @example
 * retryAfterMs('120', 0) // 120000
 * retryAfterMs('Thu, 01 Jan 1970 00:00:30 GMT', 10_000) // 20000
 */
export function retryAfterMs(value: string | null, nowMs: number): number | null {
  if (typeof value !== 'string') return null
  const waitMs = /^\d+$/.test(value) ? Number(value) * 1000 : parseHttpDate(value, nowMs) - nowMs
  return Number.isNaN(waitMs) ? null : Math.max(0, Math.min(waitMs, LONGEST_WAIT_MS))
}
