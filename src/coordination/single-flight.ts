/** Shared work: whoever asks for the same thing while it is under way waits for the one that is. */

interface FlightListener {
  /** Work has started, or has landed. */
  onFlight(): void
}

/**
 * One piece of work at a time for a key. Another key starts its own and takes the place: a refresh for a session that was
 * signed out must not be what the next session waits for.
 */
export class SingleFlight<K, T> {
  readonly #listener: FlightListener
  #current: { key: K; work: Promise<T> } | null = null

  constructor(listener: FlightListener) {
    this.#listener = listener
  }

  /** Joins the work under way for `key`, or starts it. */
  run(key: K, start: () => Promise<T>): Promise<T> {
    if (this.#current?.key === key) return this.#current.work
    const flight = { key, work: start() }
    this.#current = flight
    this.#listener.onFlight()
    const land = (): void => {
      // Cleared only if still current: a slow old flight must not clear its successor.
      if (this.#current === flight) this.#current = null
      this.#listener.onFlight()
    }
    flight.work.then(land, land)
    return flight.work
  }

  /** Whether work for `key` is under way; without a key: any work. */
  isFlying(key?: K): boolean {
    return this.#current !== null && (key === undefined || this.#current.key === key)
  }
}
