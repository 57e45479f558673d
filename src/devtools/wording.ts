/** How things are put in words: phases, durations, counts, the time of day. On bars, in the legend, and for those who see no bars. */
import type { Entry, Mark, Phase, PhaseKind } from './entry.ts'

/** The legend, in the order of a request's life; `kind` is the bar it shows. */
export const LEGEND: readonly { mark: Mark; kind: PhaseKind | 'event'; label: string }[] = [
  { mark: 'sent', kind: 'sent', label: 'sent' },
  { mark: 'rejected', kind: 'rejected', label: '401' },
  { mark: 'waits', kind: 'waits', label: 'waits for refresh' },
  { mark: 'refresh', kind: 'refresh', label: 'refresh' },
  { mark: 'replay', kind: 'replay', label: 'replay' },
  { mark: 'denied', kind: 'denied', label: '403' },
  { mark: 'login', kind: 'login', label: 'login, step-up' },
  { mark: 'failed', kind: 'failed', label: 'failed' },
  { mark: 'session', kind: 'event', label: 'session' },
]

const WORDS: Record<PhaseKind, string> = {
  sent: 'sent',
  rejected: 'sent',
  denied: 'sent',
  replay: 'sent again',
  waits: 'waited for a refresh',
  lock: 'waited for the lock',
  refresh: 'refresh',
  permission: 'onPermissionDenied',
  login: 'parked for a login',
  'step-up': 'step-up login',
  failed: 'failed',
}

const ON_BARS: Partial<Record<PhaseKind, string>> = {
  waits: 'waits',
  lock: 'lock',
  refresh: 'refresh',
  permission: 'callback',
  login: 'login',
  'step-up': 'step-up',
  failed: 'failed',
}

/** What fits on a bar. */
export const shortly = ({ kind, status }: Phase): string => (status === null ? (ON_BARS[kind] ?? '') : String(status))

/** `sent, 401`. */
export const inWords = ({ kind, status }: Phase): string => WORDS[kind] + (status === null ? '' : `, ${status}`)

/** The bars of a row as a sentence. */
export const describe = ({ phases }: Entry): string =>
  phases
    .map((phase) => {
      const { startedAt, endedAt } = phase
      return `${inWords(phase)} (${endedAt === null ? '…' : duration(endedAt - startedAt)})`
    })
    .join(', ')

/** `412 ms`, `4.12 s`, `41.2 s`, `3 min 05 s`. */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(ms < 9995 ? 2 : 1)} s`
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

/** `0:07`, `4:59`, `1:02:03`, `29 d 23 h`. */
export function countdown(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600), Math.floor(seconds / 60)]
  if (days > 0) return `${days} d ${hours % 24} h`
  const two = (value: number): string => String(value % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`
}

/** `14:03:22.114`, local. */
export function timeOfDay(wall: number): string {
  const date = new Date(wall)
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0'))
  return `${parts.join(':')}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** `1 request`, `2 requests`. */
export const countOf = (count: number, one: string, many: string = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`
