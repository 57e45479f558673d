/**
 * Knows whether a call comes from inside the user's own code that we are waiting for: a refresher (R5), a login callback. Such
 * a call must not wait for what waits for it.
 *
 * Node, Deno and Bun say so exactly (AsyncLocalStorage, taken without an import so that bundles for browsers stay clean). A
 * browser cannot: there a call counts as inside until the first await of that code, or when it carries the signal given to it.
 */

interface AsyncContext {
  run<T>(value: unknown, task: () => T): T
  getStore(): unknown
}

export interface Reentry {
  /** Runs that code; every call made from it, now or after its awaits, is inside until `signal` fires. */
  enter<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T>
  isInside(signal?: AbortSignal | null): boolean
}

type BuiltinLookup = { getBuiltinModule?: (id: string) => { AsyncLocalStorage?: new () => AsyncContext } | undefined }

export function createReentry(): Reentry {
  const lookup = (globalThis as { process?: BuiltinLookup }).process
  const Context = lookup?.getBuiltinModule?.('node:async_hooks')?.AsyncLocalStorage
  const context = Context && new Context()
  const signals = new Set<AbortSignal>()
  let depth = 0
  return {
    async enter(signal, task) {
      signals.add(signal)
      signal.addEventListener('abort', () => signals.delete(signal))
      depth++
      let work: ReturnType<typeof task>
      try {
        work = context ? context.run(signal, task) : task()
      } finally {
        depth--
      }
      try {
        return await work
      } finally {
        signals.delete(signal)
      }
    },
    isInside: (signal) =>
      // By signal, because what a past refresher has left running is inside nothing any more.
      signals.size > 0 &&
      (depth > 0 || signals.has(context?.getStore() as AbortSignal) || signals.has(signal as AbortSignal)),
  }
}
