/**
 * A sign-in in a window of its own. The window hands its answer to the page that opened it, over a channel that only this origin
 * can hear and that is named after the state; tokens never cross. It works where the server's pages cut `window.opener`.
 */
import { after, sleep } from '../clock.ts'
import { tabChannel } from '../coordination/tab-channel.ts'
import { own, type TokenResponse } from '../tokens.ts'
import { authorizationRequest, type SignInOptions } from './authorization.ts'
import { exchanged, refused } from './callback.ts'
import type { Settings } from './options.ts'
import type { Protocol } from './protocol.ts'

/** How the state of a popup begins, so that the return page knows what it is. */
const POPUP = 'popup.'
const POPUP_STATE = /^popup\.[\w-]{22,128}$/

const FEATURES = 'popup,width=500,height=650'
const LOOK_MS = 250
const ACK_MS = 2000
/** How long a window that was told to close may take. */
const CLOSING_MS = 1000
const QUERY_LENGTH = 16_384

const nameOf = (state: string): string => `relatch-popup:${state}`

export const isPopupState = (state: string): boolean => state.startsWith(POPUP)

/** Whether there is anything that could open a window. */
export const hasPopups = (): boolean => typeof (globalThis as { open?: unknown }).open === 'function'

/** Opens an empty window; only in a click, and before anything is awaited. null: there is no page, or it was blocked. */
export function openPopup(): Window | null {
  const { open } = globalThis as { open?: typeof window.open }
  const popup = open?.('', '_blank', FEATURES) ?? null
  // Or the pages that are shown there could send this one elsewhere. (With `noopener` there would be nothing to close.)
  if (popup !== null) popup.opener = null
  return popup
}

interface PopupSignIn {
  settings: Settings
  protocol: Protocol
  popup: Window
  /** Awaited before the code is traded. */
  ready?: Promise<unknown> | undefined
}

/**
 * Signs in, in a window that is open.
 *
 * @returns null where the window was closed or `signal` fired
 * @throws AuthError `callback-refused`, `authorization-failed`, `unusable-token-response` or `metadata-refused`
 */
export async function popupTokens(
  { settings, protocol, popup, ready }: PopupSignIn,
  options: SignInOptions,
  signal?: AbortSignal,
): Promise<TokenResponse | null> {
  try {
    // It stays here, in memory: the window brings nothing but the answer.
    const { url, transaction } = await authorizationRequest(settings, protocol, { options, statePrefix: POPUP })
    const query = await popupAnswer(popup, url, { state: transaction.state, signal })
    if (query === null) return null
    await ready
    return await exchanged(protocol, query, transaction)
  } finally {
    popup.close()
  }
}

/**
 * Sends the window to `url` and waits for its answer.
 *
 * @returns the query of the return page; null where the window was closed or `signal` fired
 */
function popupAnswer(
  popup: Window,
  url: URL,
  { state, signal }: { state: string; signal?: AbortSignal | undefined },
): Promise<URLSearchParams | null> {
  return new Promise((resolve) => {
    const channel = tabChannel(nameOf(state))
    let cancelLook = (): void => {}
    const end = (answer: URLSearchParams | null): void => {
      cancelLook()
      stopListening()
      signal?.removeEventListener('abort', leave)
      resolve(answer)
    }
    const leave = (): void => end(null)
    const stopListening = channel.listen((message) => {
      const query = queryIn(message, state)
      if (query === null) return
      channel.ring({ isTaken: true })
      end(query)
    })
    // A page of the server that isolates itself (COOP) looks closed too, but it has the focus: who closed it is back here. Who
    // only looks in here meanwhile has, at such a server, given up.
    const look = (): void => {
      if (popup.closed && (globalThis.document?.hasFocus?.() ?? true)) end(null)
      else cancelLook = after(LOOK_MS, look)
    }
    if (signal?.aborted) return leave()
    signal?.addEventListener('abort', leave)
    popup.location.replace(url.href)
    look()
  })
}

/** The query that a return page sent, if it has the shape and this very state; any script of the origin can speak here (L8). */
function queryIn(message: unknown, state: string): URLSearchParams | null {
  const text = typeof message === 'object' && message !== null ? own(message, 'query') : undefined
  if (typeof text !== 'string' || text.length > QUERY_LENGTH) return null
  const query = new URLSearchParams(text)
  const states = query.getAll('state')
  return states.length === 1 && states[0] === state ? query : null
}

/**
 * On the return page: hands the query on, and closes the window.
 *
 * @throws AuthError `callback-refused` where nobody waits for it
 */
export async function handToOpener(state: string, query: string): Promise<void> {
  if (!POPUP_STATE.test(state)) throw refused()
  const channel = tabChannel(nameOf(state))
  const isTaken = await new Promise<boolean>((resolve) => {
    const cancel = after(ACK_MS, () => end(false), true)
    const stopListening = channel.listen((message) => {
      if (typeof message === 'object' && message !== null && own(message, 'isTaken') === true) end(true)
    })
    const end = (isTaken: boolean): void => {
      cancel()
      stopListening()
      resolve(isTaken)
    }
    channel.ring({ query })
  })
  if (!isTaken) throw refused()
  globalThis.close?.()
  // Nobody shall see the app start in a window that is about to go.
  await sleep(CLOSING_MS)
}
