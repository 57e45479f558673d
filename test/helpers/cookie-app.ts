/** A web app over real HTTP that calls an API for its users, one AuthFetch a request, and browsers that keep its cookies. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AuthEvents, createAuthFetch, refreshEndpoint } from '../../src/index.ts'
import { type CookieAttributes, cookieSessions, type RequestCookies } from '../../src/stores/cookies.ts'
import type { AuthServer } from '../../src/testing/index.ts'

export interface CookieApp extends AsyncDisposable {
  readonly url: string
  /** Every `store-failed` and `refresh-failed` of any request. */
  readonly failures: unknown[]
  /** How many times a response was told to set a cookie. */
  readonly sets: () => number
}

/**
 * `POST /login/<user>`, `POST /logout`, `GET /me` (who the API says it is, after the cookies were set) and `GET /page` (the same in
 * a response that has begun before the API is called, so that it can set none).
 */
export async function startCookieApp(auth: AuthServer, authUrl: string): Promise<CookieApp> {
  const sessions = cookieSessions({ secret: 'a secret of more than 32 characters, for tests' })
  const refresh = refreshEndpoint({ url: `${authUrl}/token`, clientId: 'web' })
  const failures: unknown[] = []
  let sets = 0
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const cookies = cookiesOf(request, response, () => sets++)
    const api = createAuthFetch({ baseUrl: authUrl, refresh, refreshRetries: 0, store: sessions(cookies) })
    const fail = (payload: AuthEvents['store-failed'] | AuthEvents['refresh-failed']): void =>
      void failures.push(payload)
    api.on('store-failed', fail)
    api.on('refresh-failed', fail)
    const [, action, user = ''] = (request.url ?? '').split('/')
    if (action === 'login') await api.signIn(auth.signIn(user))
    if (action === 'logout') await api.signOut()
    if (action === 'page') response.writeHead(200).write('<p>')
    if (action === 'me' || action === 'page') {
      const answer = await api('/me')
      const { user: name } = (await answer.json().catch(() => ({}))) as { user?: string }
      response.end(answer.ok ? name : String(answer.status))
    } else response.end()
  }
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      failures.push(error)
      response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    failures,
    sets: () => sets,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function cookiesOf(request: IncomingMessage, response: ServerResponse, onSet: () => void): RequestCookies {
  const sent = new Map(parse(request.headers.cookie ?? ''))
  return {
    get: (name) => sent.get(name),
    set(name, value, attributes) {
      response.appendHeader('set-cookie', serialize(name, value, attributes))
      onSet()
    },
  }
}

const parse = (header: string): [string, string][] =>
  header
    .split('; ')
    .filter((pair) => pair !== '')
    .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])

const serialize = (name: string, value: string, { path, maxAge, secure, sameSite }: CookieAttributes): string =>
  `${name}=${value}; Path=${path}; Max-Age=${maxAge}; HttpOnly; SameSite=${sameSite}${secure ? '; Secure' : ''}`

/** Keeps what `Set-Cookie` says, in the order in which the answers arrive. */
export class CookieBrowser {
  readonly kept: Map<string, string> = new Map()
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** What the app answers to a GET, or to a POST of a form. */
  async ask(path: string, form?: Record<string, string>): Promise<string> {
    const cookie = [...this.kept].map(([name, value]) => `${name}=${value}`).join('; ')
    const init = form && { method: 'POST', body: new URLSearchParams(form) }
    const response = await fetch(new URL(path, this.#url), { ...init, headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [[name, value] = ['', '']] = parse(line)
      if (/; Max-Age=0(;|$)/.test(line)) this.kept.delete(name)
      else this.kept.set(name, value)
    }
    return response.text()
  }
}
