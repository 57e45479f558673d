// A React app on the session of the page: `api`, which pages/kit.js makes. Load it there: `await import('/pages/react.js')`.
import { type ReactNode, StrictMode } from 'react'
import { createRoot, hydrateRoot, type Root } from 'react-dom/client'
import type { AuthFetch, SessionSnapshot } from 'relatch'
import { useAuthSession } from 'relatch/react'

type Session = Pick<AuthFetch, 'subscribe' | 'snapshot'>

interface ReactApp {
  /** Shows `api`, or another session in its place; in StrictMode, which mounts everything twice. */
  show(session?: Session): void
  /** The same where the server has sent that HTML. */
  hydrate(html: string): void
  unmount(): void
  /** Resolves when the page shows that status. */
  shows(status: SessionSnapshot['status']): Promise<void>
  /** What was rendered, one after the other. */
  rendered: string[]
  /** What React found to be different from the server's HTML, and repaired. */
  repaired: string[]
  /** A session that counts who listens to it. */
  counted(session: Session): Session & { listeners: number }
}

declare global {
  var app: ReactApp
}

const container = document.getElementById('root') as HTMLElement
let root: Root | undefined

function Account({ session }: { session: Session }): ReactNode {
  const { status } = useAuthSession(session)
  app.rendered.push(status)
  return <output>{status}</output>
}

const page = (session: Session): ReactNode => (
  <StrictMode>
    <Account session={session} />
  </StrictMode>
)

globalThis.app = {
  rendered: [],
  repaired: [],
  show(session = api) {
    root ??= createRoot(container)
    root.render(page(session))
  },
  hydrate(html) {
    container.innerHTML = html
    const onRecoverableError = (error: unknown): void => void app.repaired.push(String(error))
    root = hydrateRoot(container, page(api), { onRecoverableError })
  },
  unmount() {
    root?.unmount()
    root = undefined
  },
  shows: (status) =>
    new Promise((resolve) => {
      const check = (): void => {
        if (container.textContent !== status) return
        observer.disconnect()
        resolve()
      }
      const observer = new MutationObserver(check)
      observer.observe(container, { subtree: true, childList: true, characterData: true })
      check()
    }),
  counted(session) {
    const counting = {
      listeners: 0,
      snapshot: session.snapshot,
      subscribe(listener: () => void) {
        counting.listeners++
        const end = session.subscribe(listener)
        return () => {
          counting.listeners--
          end()
        }
      },
    }
    return counting
  },
}
