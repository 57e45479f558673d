/** Sessions in tabs: how tests start them and wait for them. */
import type { AuthEvents, AuthFetchOptions, SessionSnapshot } from '../../../src/index.ts'
import type { AuthServer } from '../../../src/testing/index.ts'
import type { Tab } from './browsers.ts'
import type { Heard } from './page-globals.ts'
import type { StoreName } from './stores.ts'

/** The options that can be sent into a page: no functions. */
type PlainOptions = Pick<AuthFetchOptions, 'refreshTimeoutMs' | 'refreshRetries' | 'refreshMarginMs'>

/** Opens a session on that store in each tab; it is whatever the store holds. */
export async function openSessions(tabs: Tab[], store: StoreName, options: PlainOptions = {}): Promise<void> {
  await Promise.all(tabs.map((tab) => tab.evaluate((name, given) => openSession(name, given), store, options)))
}

/** Opens a session in each tab and signs in through the first; resolves once all of them know. */
export async function signIn(
  tabs: [Tab, ...Tab[]],
  store: StoreName,
  server: AuthServer,
  options?: PlainOptions,
): Promise<void> {
  await openSessions(tabs, store, options)
  await begin(tabs, server)
}

/** The same where the sessions are open. Whoever was signed in is not any more. */
export async function begin(tabs: [Tab, ...Tab[]], server: AuthServer): Promise<void> {
  await tabs[0].evaluate(() => api.signOut())
  await becomes(tabs, 'signed-out')
  await tabs[0].evaluate((tokens) => api.signIn(tokens), server.signIn('viewer'))
  await becomes(tabs, 'signed-in')
}

/** Resolves when the sessions of all these tabs have that status. */
export async function becomes(tabs: Tab[], status: SessionSnapshot['status']): Promise<void> {
  await Promise.all(tabs.map((tab) => tab.evaluate((wanted) => statusIs(wanted), status)))
}

/** Forgets what `api` has told in that tab. */
export const hearNothing = (tab: Tab): Promise<void> =>
  tab.evaluate(() => {
    heard.length = 0
  })

/** Resolves with what that event told, as soon as it has been heard in that tab. */
export const heardIn = (tab: Tab, event: keyof AuthEvents): Promise<Heard> =>
  tab.evaluate((name) => hearing(name), event)

/** Runs `task` in every tab at once: all get ready first, and one message starts them. Resolves with what each brought. */
export async function together<T>(tabs: [Tab, ...Tab[]], task: () => Promise<T>): Promise<T[]> {
  const text = `prepare(${task})`
  await Promise.all(tabs.map((tab) => tab.evaluate(text)))
  await tabs[0].evaluate(() => {
    const channel = new BroadcastChannel('bench')
    channel.postMessage('go')
    channel.close()
  })
  return (await Promise.all(tabs.map((tab) => tab.evaluate(() => outcome)))) as T[]
}
