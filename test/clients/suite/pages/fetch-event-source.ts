import { connect } from '../../hand-over/fetch-event-source.ts'
import { openPage } from './kit.ts'

await openPage((api) => {
  const open = connect(api, location.origin)

  /** The messages of a stream that has ended, or the first so many of one that comes back whenever it ends. */
  async function messages(path: string, init: RequestInit, count = 0): Promise<string[]> {
    const heard: string[] = []
    const leaving = new AbortController()
    globalThis.leave = () => leaving.abort()
    const { method = 'GET', body = null } = init
    await open(path, {
      method,
      body,
      signal: leaving.signal,
      onmessage({ data }) {
        heard.push(data)
        if (heard.length === count) leaving.abort()
      },
      onclose() {
        if (count > 0) throw new Error('The stream has ended')
      },
    })
    if (heard.length === 0) throw new Error(`Resolved without a message, aborted: ${leaving.signal.aborted}`)
    return heard
  }

  return {
    get: async (path) => JSON.parse((await messages(path, {})).join()),
    post: async (text) => (await messages('/say', { method: 'POST', body: text })).join(),
    events: (path) => messages(path, {}, 4),
    /** The page is hidden for a moment, in the middle of the stream. */
    hidden(text) {
      const heard: string[] = []
      return open('/stay', {
        method: 'POST',
        body: text,
        onmessage({ data }) {
          heard.push(data)
          if (heard.length > 1) return
          setHidden(true)
          setTimeout(() => setHidden(false))
        },
      }).then(() => heard)
    },
  }
})

function setHidden(isHidden: boolean): void {
  Object.defineProperty(document, 'hidden', { configurable: true, value: isHidden })
  document.dispatchEvent(new Event('visibilitychange'))
}
