/** Shared work: whoever asks for the same thing while it is under way waits for the one that is. */

export interface SingleFlight<K, T> {
  /** Joins the work under way for `key`, or starts it. */
  run(key: K, start: () => Promise<T>): Promise<T>
  /** Whether work for `key` is under way; without a key: any work. */
  isFlying(key?: K): boolean
}

/**
 * One piece of work at a time for a key. Another key starts its own and takes the place: a refresh for a session that was
 * signed out must not be what the next session waits for.
 *
 * @param onChange called when work starts and when it lands
 */
export function singleFlight<K, T>(onChange: () => void): SingleFlight<K, T> {
  let current: { key: K; work: Promise<T> } | null = null
  return {
    run(key, start) {
      if (current !== null && current.key === key) return current.work
      const flight = { key, work: start() }
      current = flight
      onChange()
      const land = (): void => {
        // Cleared only if still current: a slow old flight must not clear its successor.
        if (current === flight) current = null
        onChange()
      }
      flight.work.then(land, land)
      return flight.work
    },
    isFlying: (key) => current !== null && (key === undefined || current.key === key),
  }
}
