/** One of the eight: waits until it has the session, and for the word; then it calls, and says what came of it. */
import { refreshEndpoint } from 'relatch'
import { readChoices, STORES } from './choices.ts'
import { outcomeOf } from './runs.ts'
import { CALLS_PER_TAB, type FrameMessage } from './tabs.ts'

const api = await STORES[readChoices(location).store].open({
  refresh: refreshEndpoint({ url: '/token', clientId: 'playground' }),
})
const say = (message: FrameMessage): void => parent.postMessage(message, location.origin)

addEventListener('message', async ({ data, origin }) => {
  if (origin !== location.origin || data !== 'go') return
  const calls = Array.from({ length: CALLS_PER_TAB }, () => outcomeOf(api, { method: 'GET', path: '/items', hint: '' }))
  say({ from: 'frame', outcomes: await Promise.all(calls) })
})

// Where there is none to be seen, they are known by then all the same.
await api.tokens()
if (api.snapshot().status !== 'signed-out') say({ from: 'frame', ready: true })
