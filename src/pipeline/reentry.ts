/**
 * Knows whether a call comes from inside the user's own code that we are waiting for: a refresher (R5), a login callback. Such
 * a call must not wait for what waits for it.
 *
 * Node, Deno and Bun say so exactly (AsyncLocalStorage, taken without an import so that bundles for browsers stay clean). A
 * browser cannot: there a call counts as inside until the first await of that code, or when it carries the signal given to it.
 */

interface AsyncContext {
  run<T>(value: readonly AbortSignal[], task: () => T): T
  getStore(): readonly AbortSignal[] | undefined
  disable?(): void
}

type BuiltinLookup = { getBuiltinModule?: (id: string) => { AsyncLocalStorage?: new () => AsyncContext } | undefined }

/**
 * One for the process, made when it is first needed and switched off while nobody is inside: on Node 22 each further one, and
 * each one that is on, makes every promise of the process slower.
 */
let context: AsyncContext | null | undefined
const inside = new Set<AbortSignal>()

function asyncContext(): AsyncContext | null {
  if (context === undefined) {
    const lookup = (globalThis as { process?: BuiltinLookup }).process
    const Context = lookup?.getBuiltinModule?.('node:async_hooks')?.AsyncLocalStorage
    context = Context ? new Context() : null
  }
  return context
}

export class Reentry {
  /** null = nobody is inside, as nearly always. */
  #signals: Set<AbortSignal> | null = null
  #depth = 0

  /** Runs that code; every call made from it, now or after its awaits, is inside until `signal` fires. */
  async enter<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const ambient = asyncContext()
    this.#signals ??= new Set()
    this.#signals.add(signal)
    inside.add(signal)
    const leave = (): void => {
      this.#signals?.delete(signal)
      if (this.#signals?.size === 0) this.#signals = null
      if (!inside.delete(signal) || inside.size > 0) return
      try {
        context?.disable?.()
      } catch {
        // workerd has it, to throw that it is not implemented.
      }
    }
    signal.addEventListener('abort', leave)
    this.#depth++
    let work: Promise<T>
    try {
      work = ambient ? ambient.run([...(ambient.getStore() ?? []), signal], task) : task()
    } finally {
      this.#depth--
    }
    try {
      return await work
    } finally {
      leave()
    }
  }

  isInside(signal?: AbortSignal | null): boolean {
    const signals = this.#signals
    return (
      signals !== null &&
      // By signal, because what a past refresher has left running is inside nothing any more.
      (this.#depth > 0 ||
        (signal != null && signals.has(signal)) ||
        (context?.getStore()?.some((entered) => signals.has(entered)) ?? false))
    )
  }
}
