/**
 * A copy of each sign-in under way, in `localStorage` and under a key of its own. It is there because Chromium shows a page an old
 * `sessionStorage` where the way back ends in another process than the way out began in: with a service worker on the origin that was
 * every second sign-in (seen in version 156). Tabs that begin one at the same moment do not meet here.
 */
import { pageUrl } from '../http/origins.ts'

const PREFIX = 'relatch:sign-in:'

type Place = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

/** Nothing of it throws: what cannot be copied has the original. */
export class SignInCopies {
  add(state: string, text: string): void {
    quietly((place) => place.setItem(PREFIX + state, text))
  }

  read(state: string): string | null {
    return quietly((place) => place.getItem(PREFIX + state)) ?? null
  }

  remove(state: string): void {
    quietly((place) => place.removeItem(PREFIX + state))
  }

  /** The states of all that there are. */
  states(): string[] {
    const keys = quietly(Object.keys) ?? []
    return keys.filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length))
  }
}

/** Looked up when it is used: storage that is blocked throws at the very look. Programs that have one have no use for it here. */
function quietly<T>(use: (place: Place) => T): T | undefined {
  try {
    return pageUrl() === undefined ? undefined : use(globalThis.localStorage)
  } catch {
    return undefined
  }
}
