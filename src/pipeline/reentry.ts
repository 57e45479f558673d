/**
 * Knows whether a call comes from inside a refresher (R5). Such a call must not wait for the refresh that waits for it.
 *
 * Node, Deno and Bun say so exactly (AsyncLocalStorage, taken without an import so that bundles for browsers stay clean). A
 * browser cannot: there a call counts as inside while the refresher runs up to its first await, or when it carries the
 * refresher's signal.
 */

interface AsyncContext {
  run<T>(value: unknown, task: () => T): T
  getStore(): unknown
}

export interface Reentry {
  /** Runs a refresher; every call made from it, now or after its awaits, is inside. */
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
      depth++
      let work: ReturnType<typeof task>
      try {
        work = context ? context.run(true, task) : task()
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
      signals.size > 0 && (depth > 0 || context?.getStore() === true || (signal != null && signals.has(signal))),
  }
}
