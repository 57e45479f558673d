/**
 * The time axis of a burst. Linear, except that the time which people take (a login, a decision) is cut where nothing else went
 * on: a minute in front of a login page must not flatten the milliseconds around it.
 */
import { type Entry, isForPeople } from './entry.ts'
import { duration } from './wording.ts'

export interface Axis {
  /** Where an instant lies, in percent of the width. */
  place(at: number): number
  readonly ticks: readonly { place: number; label: string }[]
  /** What is cut, in percent, and how long it was. */
  readonly cuts: readonly { place: number; width: number; label: string }[]
}

/** Cut from here on, in milliseconds. */
const CUT_MS = 1000
/** The width of a cut, in percent; all of them together get no more than three such. */
const CUT_WIDTH = 12
const TICKS = 5
/** What the label of a tick takes, in percent of a middling width. */
const LABEL_WIDTH = 8

export function axisOf(entries: readonly Entry[], now: number): Axis {
  const spans = busySpans(entries, now)
  const origin = spans[0]?.from ?? now
  const lastAt = Math.max(...entries.map(({ endedAt }) => endedAt ?? now))
  const last = spans.at(-1)
  // Still parked: the axis ends in a cut, which grows in words only.
  const isOpenEnded = last !== undefined && lastAt - last.to > CUT_MS
  const count = Math.max(0, spans.length - 1) + (isOpenEnded ? 1 : 0)
  const cutWidth = Math.min(CUT_WIDTH, (3 * CUT_WIDTH) / count)
  const busyMs = spans.reduce((sum, { from, to }) => sum + to - from, 0) + (isOpenEnded || !last ? 0 : lastAt - last.to)
  const shownMs = roundUp(busyMs, [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
  const perMs = (100 - count * cutWidth) / shownMs

  const pieces: { from: number; to: number; place: number; width: number; isCut: boolean }[] = []
  let place = 0
  spans.forEach(({ from, to }, index) => {
    const next = spans[index + 1]?.from ?? (isOpenEnded ? lastAt : null)
    const width = next === null ? 100 - place : (to - from) * perMs
    pieces.push({ from, to: next === null ? from + width / perMs : to, place, width, isCut: false })
    place += width
    if (next === null) return
    pieces.push({ from: to, to: next, place, width: cutWidth, isCut: true })
    place += cutWidth
  })

  const step = roundUp(shownMs / TICKS, [1, 2, 5, 10])
  const ticks: { place: number; label: string }[] = []
  for (const piece of pieces) {
    if (piece.isCut || piece.to === piece.from) continue
    // Before a cut its label needs the room.
    const end = piece.place + piece.width
    for (let ms = Math.ceil((piece.from - origin) / step) * step; ms <= piece.to - origin; ms += step) {
      const at = piece.place + (origin + ms - piece.from) * perMs
      if (at + LABEL_WIDTH <= end && at - (ticks.at(-1)?.place ?? -LABEL_WIDTH) >= LABEL_WIDTH)
        ticks.push({ place: at, label: duration(ms) })
    }
  }
  return {
    place(at) {
      const piece = pieces.findLast(({ from }) => from <= at) ?? pieces[0]
      if (!piece || piece.to === piece.from) return piece?.place ?? 0
      const share = Math.min(1, Math.max(0, (at - piece.from) / (piece.to - piece.from)))
      return piece.place + share * piece.width
    },
    ticks,
    cuts: pieces
      .filter(({ isCut }) => isCut)
      .map(({ from, to, place, width }) => ({ place, width, label: `+ ${duration(to - from)}` })),
  }
}

/** When machines were at work, in order; pauses too short to be cut are part of it. */
function busySpans(entries: readonly Entry[], now: number): { from: number; to: number }[] {
  const spans: { from: number; to: number }[] = []
  for (const entry of entries) {
    if (entry.phases.length === 0) spans.push({ from: entry.startedAt, to: entry.startedAt })
    for (const phase of entry.phases) {
      if (!isForPeople(phase)) spans.push({ from: phase.startedAt, to: phase.endedAt ?? now })
      // Its ends are instants like any other.
      else spans.push({ from: phase.startedAt, to: phase.startedAt })
    }
  }
  spans.sort((one, other) => one.from - other.from)
  const merged: { from: number; to: number }[] = []
  for (const span of spans) {
    const last = merged.at(-1)
    if (last && span.from - last.to <= CUT_MS) last.to = Math.max(last.to, span.to)
    else merged.push({ ...span })
  }
  return merged
}

/** The next round number: a digit of `digits` and zeros. At least 10 ms: less is noise, and no axis. */
function roundUp(value: number, digits: readonly number[]): number {
  const least = Math.max(value, 10)
  const power = 10 ** Math.floor(Math.log10(least))
  return power * (digits.find((digit) => digit * power >= least) ?? 10)
}
