/**
 * Where a worker keeps the session: sealed in IndexedDB, which any page of the origin can read, under a key that none of them
 * has. The key lives in the worker's memory and goes from a worker straight to its successor; or the worker's script brings
 * one, and then the session outlives the worker. It never goes to a page.
 */
import { after } from '../clock.ts'
import { newSealingKey, sealingKey } from '../coordination/sealing-key.ts'
import { createId } from '../id.ts'
import { expected } from '../option-check.ts'
import type { TokenStore } from '../ports.ts'
import { indexedDbStore } from '../stores/indexeddb.ts'
import { type HandOver, message, readHandOver } from './protocol.ts'
import type { WorkerMessageEvent, WorkerScope } from './scope.ts'

export interface Vault {
  readonly store: TokenStore
  /** For tokens that are no session yet. */
  readonly waiting: TokenStore
  /** Resolves once it is known which key seals the session. */
  readonly opened: Promise<unknown>
  /** Answers a successor; says whether it was one. */
  handOver(event: WorkerMessageEvent): boolean
}

/** How long the worker that is there may take to hand its key over. One that does not know us never answers. */
const HAND_OVER_MS = 3_000
const LEAST_CHARACTERS = 32
const INFO = 'relatch/service-worker'

/** @throws TypeError `ERR_INVALID_OPTION` where the key is too short to be one */
export function openVault(worker: WorkerScope, secret: string | undefined): Vault {
  if (secret !== undefined && (typeof secret !== 'string' || secret.length < LEAST_CHARACTERS)) {
    throw expected('key', `a random text of at least ${LEAST_CHARACTERS} characters`)
  }
  const nonce = createId()
  const handed = askForKey(worker, nonce)
  const key = secret === undefined ? handed.then((theirs) => theirs ?? newSealingKey()) : sealingKey(secret, INFO)
  // Workers of other scopes have other keys.
  const name = `relatch:${worker.registration.scope}`
  return {
    store: indexedDbStore({ name, key }),
    waiting: indexedDbStore({ name: `${name}:waiting`, key }),
    opened: key,
    handOver({ data, source, ports: [port] }) {
      const asked = readHandOver(data)
      // Nobody but a worker that runs this very script; a page can make neither the source nor the port of one.
      if (asked === null || port === undefined || !isSameScript(worker, source)) return false
      if (asked.nonce === nonce || secret !== undefined) port.postMessage(null)
      else key.then((ours) => port.postMessage(ours)).catch(() => {})
      return asked.nonce !== nonce
    },
  }
}

/** By its path: a query is a version's, and the server answers with the same script whatever it says. */
function isSameScript({ location }: WorkerScope, source: WorkerMessageEvent['source']): boolean {
  if (source === null || !('scriptURL' in source)) return false
  const { origin, pathname } = new URL(source.scriptURL)
  return origin === location.origin && pathname === location.pathname
}

/**
 * Tells the worker that is active now that there is a successor, and has its key. null: there is none, or another script's, or it has
 * no key to give, or it is this very worker, which the browser had ended: then what was in memory is gone.
 */
async function askForKey(worker: WorkerScope, nonce: string): Promise<CryptoKey | null> {
  const { active } = worker.registration
  // From another script a key would be one that others have as well: a thief's worker, replaced by ours, has planted it.
  if (active === null || !isSameScript(worker, active)) return null
  const { port1, port2 } = new MessageChannel()
  const answer = await new Promise<unknown>((resolve) => {
    const cancel = after(HAND_OVER_MS, () => resolve(null))
    // By a port, because Firefox drops what a worker posts to one that is still being installed.
    port1.onmessage = ({ data }) => {
      cancel()
      resolve(data)
    }
    active.postMessage(message<HandOver>({ ask: 'hand-over', nonce }), [port2])
  })
  port1.close()
  return answer instanceof CryptoKey ? answer : null
}
