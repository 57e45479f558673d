import { failure } from './failure.ts'
import { login } from './login.ts'
import { orders } from './orders.ts'
import { reports } from './reports.ts'

/** Makes what a page shows; `signal` fires when the user has gone on. */
export type Page = (signal: AbortSignal) => Node | Promise<Node>

const home: Page = () => {
  const page = document.createElement('div')
  page.innerHTML = '<h1>Home</h1><p>Anybody may read this.</p>'
  return page
}

const pages: Record<string, Page> = { '/': home, '/login': login, '/orders': orders, '/reports': reports }

let leave = new AbortController()

/** Shows the page of the address bar. */
export async function show(): Promise<void> {
  leave.abort()
  leave = new AbortController()
  const { signal } = leave
  const main = document.querySelector('main') as HTMLElement
  const page = pages[location.pathname] ?? home
  try {
    const shown = await page(signal)
    if (!signal.aborted) main.replaceChildren(shown)
  } catch (error) {
    if (!signal.aborted) main.replaceChildren(failure(error))
  }
}

/** Goes to a page of this app without leaving the document. */
export function go(url: string): void {
  history.pushState(null, '', url)
  void show()
}
