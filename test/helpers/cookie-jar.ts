/** The cookies of a browser, and those of one request as frameworks show them. */
import type { CookieAttributes, RequestCookies } from '../../src/stores/cookies.ts'

/** A browser: what it was told to keep, by name; `set` as it takes a `Set-Cookie`. */
export class Browser {
  readonly kept: Map<string, string> = new Map()
  /** The attributes that each was last set with. */
  readonly attributes: Map<string, CookieAttributes> = new Map()

  set(name: string, value: string, attributes: CookieAttributes): void {
    this.attributes.set(name, attributes)
    if (attributes.maxAge === 0) this.kept.delete(name)
    else this.kept.set(name, value)
  }

  /** Cookies whose answer is there at once: Next's and SvelteKit's show what was set. */
  cookies(): RequestCookies {
    return { get: (name) => this.kept.get(name), set: (...cookie) => this.set(...cookie) }
  }

  /**
   * A request: carries what the browser has now, and what is set in it is the browser's once its response arrives. With `shows`
   * `sent`, `get` goes on giving what the request came with, as h3's getCookie does; `isReadOnly`: it can set nothing.
   */
  request({ shows = 'set', isReadOnly = false }: { shows?: 'set' | 'sent'; isReadOnly?: boolean } = {}): Exchange {
    const sent = new Map(this.kept)
    const seen = new Map(sent)
    const set: Parameters<RequestCookies['set']>[] = []
    return {
      sets: set,
      cookies: {
        get: (name) => {
          const value = (shows === 'set' ? seen : sent).get(name)
          return value === undefined ? undefined : { value }
        },
        set: (...cookie) => {
          if (isReadOnly) throw new Error('Cookies can only be modified in a Server Action or Route Handler')
          set.push(cookie)
          seen.set(cookie[0], cookie[1])
        },
      },
      arrive: () => {
        for (const cookie of set) this.set(...cookie)
      },
    }
  }
}

export interface Exchange {
  cookies: RequestCookies
  readonly sets: readonly Parameters<RequestCookies['set']>[]
  /** The response reaches the browser. */
  arrive(): void
}
