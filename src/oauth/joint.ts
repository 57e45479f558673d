/** One sign-in for everyone who asks for the same at the same time. It ends early when nobody waits for it any more. */

interface UnderWay<T> {
  work: Promise<T>
  /** Ends the work: the last who waited has gone. */
  over: AbortController
  waiting: number
}

export class Joint<T> {
  readonly #underWay: Map<string, UnderWay<T>> = new Map()

  /**
   * Joins the work under way for `key`, or starts it.
   *
   * @param signal says that this caller waits no more
   */
  join(key: string, signal: AbortSignal | undefined, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const joined = this.#underWay.get(key) ?? this.#begin(key, start)
    joined.waiting++
    const leave = (): void => {
      if (--joined.waiting === 0) joined.over.abort()
    }
    if (signal?.aborted) leave()
    else signal?.addEventListener('abort', leave, { once: true })
    return joined.work
  }

  #begin(key: string, start: (signal: AbortSignal) => Promise<T>): UnderWay<T> {
    const over = new AbortController()
    const begun: UnderWay<T> = { over, waiting: 0, work: start(over.signal) }
    this.#underWay.set(key, begun)
    const end = (): void => {
      if (this.#underWay.get(key) === begun) this.#underWay.delete(key)
    }
    begun.work.then(end, end)
    over.signal.addEventListener('abort', end)
    return begun
  }
}
