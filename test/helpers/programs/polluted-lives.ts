/**
 * A program: one life of a client on a clean Object.prototype, then the same once for each member that an attacker might get onto
 * it. Prints as JSON what was sent and answered in each. In a process of its own, because a polluted prototype spares nobody.
 */
import { fileURLToPath } from 'node:url'
import { createAuthFetch, memoryStore, refreshEndpoint, type TokenSet } from '../../../src/index.ts'

/** JSON-like, because that is what a polluted prototype gets: by a merge of somebody's JSON. */
export const POLLUTION: Record<string, unknown> = {
  authorization: 'Bearer polluted',
  Authorization: 'Bearer polluted',
  headers: { authorization: 'Bearer polluted', 'x-polluted': '1', 'content-type': 'text/polluted' },
  baseUrl: 'https://polluted.example',
  origins: ['https://polluted.example'],
  allowInsecure: true,
  refresh: 'polluted',
  store: 'polluted',
  scheme: 'polluted',
  fetch: 'polluted',
  classify: 'polluted',
  onPermissionDenied: 'polluted',
  onLoginRequired: 'polluted',
  onStepUp: 'polluted',
  refreshMarginMs: 1e12,
  refreshTimeoutMs: 0,
  refreshRetries: 0,
  replayLimitBytes: 0,
  parkedLimit: 0,
  method: 'DELETE',
  body: 'polluted',
  signal: 'polluted',
  redirect: 'error',
  credentials: 'omit',
  mode: 'no-cors',
  cache: 'force-cache',
  integrity: 'sha256-polluted',
  keepalive: true,
  referrer: 'https://polluted.example',
  referrerPolicy: 'unsafe-url',
  duplex: 'half',
  dispatcher: 'polluted',
  priority: 'polluted',
  window: 'polluted',
  url: 'https://polluted.example',
  href: 'https://polluted.example',
  base: 'https://polluted.example',
  clone: 'polluted',
  accessToken: 'polluted',
  refreshToken: 'polluted',
  idToken: 'polluted',
  tokenType: 'polluted',
  expiresAt: 1,
  scope: 'polluted',
  subject: 'polluted',
  access_token: 'polluted',
  refresh_token: 'polluted',
  expires_in: 1,
  token_type: 'polluted',
  id_token: 'polluted',
  clientId: 'polluted',
  format: 'json',
  tokens: { accessToken: 'polluted' },
  sessionId: 'polluted',
  version: 1,
  reason: 'polluted',
  error: 'invalid_grant',
  code: 'invalid_grant',
  oauthError: 'invalid_grant',
  message: 'invalid_grant',
  status: 401,
  response: { status: 401 },
  data: { error: 'invalid_grant' },
  cause: { error: 'invalid_grant' },
  retryAfterMs: 86_400_000,
  retryable: false,
  verdict: 'over',
  params: { error: 'insufficient_scope' },
  signedIn: true,
  kind: 'over',
  length: 1,
  done: true,
  value: 'polluted',
  retries: 9,
  minTimeout: 1e9,
  maxRetryTime: 1,
  factor: 9,
  unref: true,
  lock: 'polluted',
  watch: 'polluted',
  cure: 'polluted',
  observe: 'polluted',
  minValidityMs: 1e12,
  once: true,
  capture: true,
}

/** What a platform reads of an init: own members and inherited ones alike. */
const MEMBERS = [
  ...['method', 'referrer', 'referrerPolicy', 'mode', 'credentials', 'cache', 'redirect', 'integrity', 'keepalive'],
  ...['duplex', 'priority', 'dispatcher', 'window'],
]

async function wireOf(input: RequestInfo | URL, init: RequestInit = Object.create(null)): Promise<unknown[]> {
  const request = input instanceof Request ? input : null
  const members = MEMBERS.map((member) => [member, (init as Record<string, unknown>)[member] ?? null])
  const headers = [...new Headers(init.headers ?? request?.headers)]
  const body = init.body ?? request?.body ?? null
  const text = body === null ? null : await new Response(body).text()
  return [
    request?.url ?? String(input),
    request?.method ?? null,
    members,
    headers,
    text,
    init.signal instanceof AbortSignal,
  ]
}

// Made while the prototype is clean: a platform's own constructor reads inherited members.
const request = new Request('https://api.example/v1/users')

const answer = (status: number, body = 'no', headers: Array<[string, string]> = []): Response =>
  new Response(body, Object.assign(Object.create(null), { status, headers }))

async function life(): Promise<string> {
  const happened: unknown[] = []
  let grants = 0
  const transport = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const wire = await wireOf(input, init)
    happened.push(wire)
    const [url, , , headers] = wire as [string, unknown, unknown, Array<[string, string]>]
    if (url.endsWith('/token')) {
      grants++
      if (grants === 2) return answer(503)
      const tokens = `{"access_token":"at-${grants}","refresh_token":"rt-${grants}","expires_in":3600}`
      return answer(200, tokens, [['content-type', 'application/json']])
    }
    if (url.endsWith('/denied'))
      return answer(403, 'no', [['www-authenticate', 'Bearer error="insufficient_scope", scope="s"']])
    if (url.endsWith('/revoked')) return answer(401)
    const isWelcome = headers.some(([name, value]) => name === 'authorization' && value === `Bearer at-${grants}`)
    return isWelcome ? answer(200, 'ok') : answer(401)
  }
  const attempt = async (name: string, call: () => Promise<unknown>): Promise<void> => {
    try {
      const result = await call()
      happened.push([name, result instanceof Response ? [result.status, await result.text()] : (result ?? null)])
    } catch (error) {
      happened.push([name, 'rejected', String(error)])
    }
  }

  await attempt('a whole life', async () => {
    const initial: TokenSet = { accessToken: 'at-0', refreshToken: 'rt-0' }
    const api = createAuthFetch({
      baseUrl: 'https://api.example/v1/',
      refresh: refreshEndpoint({ url: 'https://auth.example/token' }),
      store: memoryStore(initial),
      fetch: transport as typeof fetch,
      refreshTimeoutMs: 60_000,
    })
    const { signal } = new AbortController()
    await attempt('string', () => api('users', { headers: [['accept', 'text/plain']] }))
    await attempt('URL', () => api(new URL('https://api.example/v1/users')))
    await attempt('Request', () => api(request))
    grants = 1
    await attempt('refresh after a 503', () => api.refresh('at-1'))
    await attempt('late', () => api('users', { method: 'POST', body: 'b', signal }))
    const streamed = { __proto__: null, method: 'POST', body: new Blob(['s']).stream(), duplex: 'half' } as RequestInit
    await attempt('stream', () => api('users', streamed))
    grants = 9
    await attempt('expired with a body', () =>
      api('orders', { method: 'POST', body: new URLSearchParams('a=1'), signal }),
    )
    await attempt('denied', () => api('denied'))
    await attempt('rejected for good', () => api('revoked'))
    await attempt('tokens', async () => (await api.tokens())?.accessToken)
    await attempt('snapshot', async () => api.snapshot().status)
    await attempt('sign out', () => api.signOut())
    await attempt('nobody', () => api('users'))
    await attempt('sign in', () => api.signIn({ access_token: 'at-7', expires_in: 3600 }))
    await attempt('bad sign in', () => api.signIn({ scope: 'x' } as never))
    await attempt('somebody', () => api('users'))
    api.dispose()
  })
  return JSON.stringify(happened)
}

async function compare(): Promise<void> {
  // Waits are not what is asked about here; a hundredth of them keeps their order.
  const { setTimeout: realSetTimeout } = globalThis
  globalThis.setTimeout = ((task: () => void, ms = 0) => realSetTimeout(task, ms / 100)) as typeof setTimeout

  const clean = await life()
  const changed: Array<[string, string]> = []
  for (const [member, value] of Object.entries(POLLUTION)) {
    Object.defineProperty(Object.prototype, member, { value, configurable: true, enumerable: true, writable: true })
    const polluted = await life()
    delete (Object.prototype as unknown as Record<string, unknown>)[member]
    if (polluted !== clean) changed.push([member, polluted])
  }
  console.log(JSON.stringify({ clean, again: await life(), changed }))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await compare()
