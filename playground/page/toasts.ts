/** What is told in passing: 403s with their reason, and what went wrong at a button. Equal ones are counted, not repeated. */
import type { Denial } from 'relatch'
import { type Observable, observable } from './observable.ts'

const SHOWN_MS = 9_000

export interface Toast {
  id: string
  title: string
  text: string
  count: number
}

export interface Toasts extends Observable<readonly Toast[]> {
  tell(title: string, text: string): void
  dismiss(id: string): void
  onPermissionDenied(denial: Denial): Promise<void>
}

export function createToasts(): Toasts {
  const shown = observable<readonly Toast[]>([])
  const timers = new Map<string, number>()

  const dismiss = (id: string): void => shown.set((toasts) => toasts.filter((toast) => toast.id !== id))
  const tell = (title: string, text: string): void => {
    const id = `${title} ${text}`
    const { count } = shown.snapshot().find((toast) => toast.id === id) ?? { count: 0 }
    shown.set((toasts) => [...toasts.filter((toast) => toast.id !== id), { id, title, text, count: count + 1 }])
    clearTimeout(timers.get(id))
    timers.set(id, window.setTimeout(dismiss, SHOWN_MS, id))
  }

  return {
    subscribe: shown.subscribe,
    snapshot: shown.snapshot,
    tell,
    dismiss,
    async onPermissionDenied({ request, reason, requiredScopes, problem }) {
      const { detail } = (await problem()) ?? {}
      const why = requiredScopes.length > 0 ? `It takes the scope ${requiredScopes.join(' ')}` : (detail ?? reason)
      tell(`403 ${request.method} ${new URL(request.url).pathname}`, `${why}. Not refreshed, not sent again.`)
    },
  }
}
