/** R: recovery from a 401. */
import { type AuthFetch, isAuthError, memoryStore, type StoredSession, type TokenStore } from 'relatch'
import { BROWSERS, type Case } from './case.ts'
import { codeOf, equal, ok, rejection, statuses } from './check.ts'
import { empty, withTokens } from './module-scope.ts'
import { bearerOf, type World } from './world.ts'

/** What goes wrong with a token endpoint, in words. */
const FAULTS = {
  html: 'the page of a captive portal',
  'forbidden-html': 'the page of a firewall',
  empty: 'an empty answer',
  garbage: 'broken JSON',
  drop: 'a lost connection',
} as const

/** Requests at once, no two to one URL: Chromium's cache would send those one after the other. */
const together = (api: typeof fetch, count: number, path = 'me'): Array<Promise<Response>> =>
  Array.from({ length: count }, (_, index) => api(`${path}?n=${index}`))

/** The statuses that the API has answered, in order of arrival. */
const answered = async (world: World, path = '/me'): Promise<Array<number | null>> =>
  (await world.arrivals({ path })).map(({ status }) => status)

/** A refresher that gives what it is given, in turn. */
const scripted = (...answers: unknown[]) => {
  let calls = 0
  const refresh = async (): Promise<never> => {
    const answer = answers[Math.min(calls++, answers.length - 1)]
    if (answer instanceof Error) throw answer
    return answer as never
  }
  return { refresh, calls: () => calls }
}

/** A store in which others write too. */
function sharedStore(first: StoredSession): TokenStore & { put(session: StoredSession): void } {
  let stored: StoredSession | null = first
  return {
    read: () => stored,
    write(next, expected) {
      if ((stored?.version ?? null) !== expected) return false
      stored = next
      return true
    },
    put(session) {
      stored = session
    },
  }
}

async function signedInTwice(world: World): Promise<[string, string]> {
  const [first, second] = [await world.signIn('viewer'), await world.signIn('admin')]
  return [first.access_token, second.access_token]
}

export const RECOVERY: readonly Case[] = [
  {
    id: 'R1',
    title: 'a 401 is one refresh and the same request once more, with the new token',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      const response = await api('items?page=2', { headers: { 'x-trace': 'abc', accept: 'application/json' } })
      equal(response.status, 200, 'the status')
      const [first, second, ...more] = await world.arrivals({ path: '/items' })
      ok(first && second && more.length === 0, 'two sends')
      ok(bearerOf(first) !== bearerOf(second), 'the replay to carry another token')
      for (const { query, headers, method } of [first, second]) {
        equal(
          [method, query, headers['x-trace'], headers.accept],
          ['GET', 'page=2', 'abc', 'application/json'],
          'a send',
        )
      }
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
    },
  },
  {
    id: 'R1',
    title: 'a 401 that stays is two sends and one refresh, and is handed back unread',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      const response = await api('status/401')
      equal(response.status, 401, 'the status')
      ok(!response.bodyUsed, 'a body that nobody has read')
      equal(((await response.json()) as { error: string }).error, 'invalid_token', 'the body')
      equal(await answered(world, '/status/401'), [401, 401], 'the answers')
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
    },
  },
  {
    id: 'R1',
    title: 'a call takes over newer tokens once: what stays a 401 then is handed back, though others go on refreshing',
    async run({ world: open }) {
      const refused = (gate: string) => ({ gate, status: 401 })
      const world = await open({
        scripts: {
          '/adopts': [refused('a1'), refused('a2'), { status: 200 }],
          '/both': [{ status: 401 }, refused('b1'), refused('b2'), { status: 200 }],
        },
      })
      const api = await world.api()
      const refreshElsewhere = async (): Promise<void> => {
        await world.expire()
        equal((await api('me')).status, 200, 'the status of another call')
      }
      for (const [path, gates, sends] of [
        ['adopts', ['a1', 'a2'], 2],
        ['both', ['b1', 'b2'], 3],
      ] as const) {
        const call = statuses([api(path)])
        for (const [index, gate] of gates.entries()) {
          await world.seen(sends - gates.length + index + 1, { path: `/${path}` })
          await refreshElsewhere()
          await world.let(gate)
        }
        equal(await call, [401], `the status of ${path}`)
        const tokens = (await world.arrivals({ path: `/${path}` })).map(bearerOf)
        equal([tokens.length, new Set(tokens).size], [sends, sends], `the sends of ${path}, and their tokens`)
      }
      equal((await world.stats()).refreshAttempts, 5, 'the refreshes')
    },
  },
  {
    id: 'R1',
    title: 'text, URL, Request, and Request with init: each recovers',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      const inputs: Array<Parameters<typeof fetch>> = [
        ['me'],
        [`${world.url}me`],
        [new URL('me', world.url)],
        [new Request(`${world.url}me`)],
        [new Request(`${world.url}me`, { headers: { 'x-a': '1' } }), { headers: { 'x-b': '2' } }],
      ]
      for (const input of inputs) {
        await world.expire()
        equal((await api(...input)).status, 200, 'the status')
      }
      equal(
        await answered(world),
        inputs.flatMap(() => [401, 200]),
        'the answers',
      )
      const headers = (await world.arrivals({ path: '/me' })).at(-1)?.headers ?? {}
      equal([headers['x-a'], headers['x-b']], [undefined, '2'], "init's headers instead of the Request's")
    },
  },
  {
    id: 'R1',
    title: 'an API on another origin than the page, where there is one: preflights and all',
    async run({ world: open }) {
      const world = await open()
      const api = world.anonymous({ baseUrl: world.elsewhere })
      await api.signIn(await world.signIn())
      await world.expire()
      const init = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"a":1}' }
      const response = await api('echo', init)
      equal([response.status, ((await response.json()) as { text: string }).text], [200, '{"a":1}'], 'the answer')
      const seen = await world.arrivals({ place: 'elsewhere', path: '/echo' })
      equal(
        seen.map(({ method, status }) => [method, status]),
        [
          ['PUT', 401],
          ['PUT', 200],
        ],
        'the sends',
      )
    },
  },
  {
    id: 'R1',
    title: 'one AuthFetch at module scope serves those who ask, one after the other',
    async run({ world: open, ask }) {
      const world = await open()
      equal(await ask('signIn', world), 'signed in', 'the sign-in')
      equal(await ask('me', world), '200', 'the first answer')
      await world.expire()
      equal(await ask('me', world), '200', 'the answer after the expiry')
      equal(await answered(world), [200, 401, 200], 'the answers')
    },
  },
  {
    id: 'R1',
    title: 'an AuthFetch that was made while modules were loaded takes a session later',
    async run() {
      ok('value' in empty, 'an AuthFetch')
      await empty.value.signIn({ accessToken: 'at-1' })
      equal(await (await empty.value('/me')).text(), 'Bearer at-1', 'what was sent')
      await empty.value.signOut()
    },
  },
  {
    id: 'R1',
    title: 'memoryStore(tokens) while modules are loaded',
    async run() {
      ok('value' in withTokens, 'an AuthFetch')
      equal(await (await withTokens.value('/me')).text(), 'Bearer at-1', 'what was sent')
    },
  },
  {
    id: 'R1',
    title: 'keepalive is handed on, again after a 401',
    async run({ world: open }) {
      const world = await open()
      const seen: unknown[] = []
      const api = await world.api({
        fetch(input, init) {
          seen.push(init?.keepalive)
          return fetch(input, init)
        },
      })
      await world.expire()
      equal((await api('echo', { method: 'POST', body: 'bye', keepalive: true })).status, 200, 'the status')
      equal(seen.filter((keepalive) => keepalive === true).length, 2, 'the sends with keepalive')
    },
  },
  {
    id: 'R1',
    title: 'what a platform adds to its fetch is there: preconnect of Bun',
    async run({ world: open }) {
      const members = (call: unknown): string => typeof (call as { preconnect?: unknown }).preconnect
      const world = await open()
      equal(members(world.anonymous()), members(fetch), 'preconnect')
    },
  },
  {
    id: 'R2',
    title: 'a hundred requests that get 401 together share one refresh',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      equal(await statuses(together(api, 100)), Array(100).fill(200), 'the statuses')
      const { refreshes, refreshAttempts, reuses } = await world.stats()
      equal([refreshes, refreshAttempts, reuses], [1, 1, 0], 'refreshes, attempts and reuses')
    },
  },
  {
    id: 'R2',
    title: 'one AuthFetch at module scope serves those who ask at once, with one refresh',
    async run({ world: open, ask }) {
      const world = await open()
      await ask('signIn', world)
      await world.expire()
      equal(await Promise.all(Array.from({ length: 5 }, () => ask('me', world))), Array(5).fill('200'), 'the answers')
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
    },
  },
  {
    id: 'R3',
    title: 'a late 401, for an older token, starts no refresh',
    async run({ world: open }) {
      const world = await open({ scripts: { '/late': [{ gate: 'late', status: 401 }, { status: 200 }] } })
      const api = await world.api()
      const late = api('late')
      await world.seen(1, { path: '/late' })
      await world.expire()
      equal((await api('me')).status, 200, 'the status of the early one')
      await world.let('late')
      equal((await late).status, 200, 'the status of the late one')
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
      const [first, second] = await world.arrivals({ path: '/late' })
      ok(first && second && bearerOf(first) !== bearerOf(second), 'the current token on the replay')
    },
  },
  {
    id: 'R4',
    title: 'a token known to have expired is refreshed before it is sent',
    async run({ world: open }) {
      const world = await open()
      const { access_token: accessToken, refresh_token: refreshToken } = await world.signIn()
      const api = world.anonymous({ store: memoryStore({ accessToken, refreshToken, expiresAt: Date.now() - 1000 }) })
      equal((await api('me')).status, 200, 'the status')
      equal(await answered(world), [200], 'the answers')
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
    },
  },
  {
    id: 'R4',
    title: 'while a token within its margin is valid, a failing refresh hurts nobody',
    async run({ world: open }) {
      const world = await open()
      const { access_token: accessToken, refresh_token: refreshToken } = await world.signIn()
      await world.set({ down: true })
      const api = world.anonymous({ store: memoryStore({ accessToken, refreshToken, expiresAt: Date.now() + 20_000 }) })
      equal(await statuses(together(api, 5)), Array(5).fill(200), 'the statuses')
      equal(api.snapshot().status, 'signed-in', 'the session')
      ok((await world.arrivals({ path: '/token' })).length >= 1, 'a refresh that was tried')
    },
  },
  {
    id: 'R5',
    title: 'a refresher that calls the wrapped fetch, or asks for a refresh, never deadlocks',
    async run({ world: open }) {
      const world = await open()
      let inner: unknown
      let asked: string | undefined
      const api: AuthFetch = world.anonymous({
        async refresh({ signal }) {
          asked = await codeOf(api.refresh())
          inner = await api('me', { signal }).then(
            ({ status }) => status,
            (error: { code: string }) => error.code,
          )
          return world.signIn()
        },
      })
      await api.signIn(await world.signIn())
      await world.expire()
      const startedAt = await world.now()
      equal((await api('items')).status, 200, 'the status')
      ok((await world.now()) - startedAt < 3000, 'an answer at once')
      equal([inner, asked], [401, 'reentrant-refresh'], 'what the refresher got')
    },
  },
  {
    id: 'R5',
    title: 'a call from inside of the refresher without its signal, after an await, is known for what it is',
    async run({ world: open }) {
      const world = await open()
      let inner = ''
      const api: AuthFetch = world.anonymous({
        refreshTimeoutMs: 1000,
        async refresh() {
          await world.now()
          inner = await api('me').then(
            ({ status }) => String(status),
            (error: { code: string }) => error.code,
          )
          return world.signIn()
        },
      })
      await api.signIn(await world.signIn())
      await world.expire()
      equal((await api('items')).status, 200, 'the status')
      equal(inner, '401', 'what the refresher got')
    },
    differs: [
      {
        note: 'reentry',
        on: ['workerd-2025', ...BROWSERS],
        async instead({ world: open }) {
          const world = await open()
          let inner: Promise<string> | undefined
          const api: AuthFetch = world.anonymous({
            refreshTimeoutMs: 1000,
            async refresh() {
              await world.now()
              inner = codeOf(api('me'))
              await inner
              return null
            },
          })
          await api.signIn(await world.signIn())
          await world.expire()
          const startedAt = await world.now()
          equal(await codeOf(api('items')), 'refresh-timeout', 'the outcome')
          ok((await world.now()) - startedAt < 3000, 'an end at refreshTimeoutMs')
          equal(await inner, 'refresh-timeout', 'what the refresher got')
        },
      },
    ],
  },
  {
    id: 'R6',
    title: 'a refresh that never answers ends at refreshTimeoutMs, for everyone; the next one works',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api({ refreshTimeoutMs: 400 })
      await world.expire()
      await world.failRefresh('hang')
      equal(await statuses(together(api, 5)), Array(5).fill('refresh-timeout'), 'the outcomes')
      await world.heal()
      // That refresh has rotated after all: the session is one that a new login has to start.
      await api.signIn(await world.signIn())
      await world.expire()
      equal((await api('me')).status, 200, 'the status after that')
    },
  },
  {
    id: 'R7',
    title: 'over: invalid_grant ends the session, and the caller gets the 401',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      await world.failRefresh({ error: 'invalid_grant' })
      equal((await api('me')).status, 401, 'the status')
      equal(api.snapshot().status, 'signed-out', 'the session')
    },
  },
  {
    id: 'R7',
    title: 'misconfigured: invalid_client keeps the session and is not tried again',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api({ refreshRetries: 2 })
      await world.expire()
      await world.failRefresh({ error: 'invalid_client' }, 'always')
      const error = await rejection(api('me'))
      ok(isAuthError(error) && error.code === 'refresh-unavailable' && !error.retryable, 'refresh-unavailable, final')
      ok(error.message.includes('invalid_client'), "the OAuth error's name")
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
      equal(api.snapshot().status, 'signed-in', 'the session')
    },
  },
  ...([503, 429, 'html', 'forbidden-html', 'empty', 'garbage', 'drop'] as const).map(
    (fault): Case => ({
      id: 'R7',
      title: `transient: ${typeof fault === 'number' ? `a ${fault}` : FAULTS[fault]} costs the call, not the session`,
      async run({ world: open }) {
        const world = await open()
        const api = await world.api()
        await world.expire()
        await world.failRefresh(fault, 'always')
        const error = await rejection(api('me'))
        ok(
          isAuthError(error) && error.code === 'refresh-unavailable' && error.retryable,
          'refresh-unavailable, retryable',
        )
        equal(api.snapshot().status, 'signed-in', 'the session')
        await world.heal()
        equal((await api('me')).status, 200, 'the status once the server works')
      },
    }),
  ),
  {
    id: 'R7',
    title: 'a transient failure is tried again, and nobody hears of it',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api({ refreshRetries: 2 })
      await world.expire()
      await world.failRefresh(503, 1)
      equal((await api('me')).status, 200, 'the status')
      equal((await world.stats()).refreshAttempts, 2, 'the attempts')
    },
  },
  {
    id: 'R7',
    title: 'Retry-After is waited for',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api({ refreshRetries: 1 })
      await world.expire()
      await world.failRefresh({ status: 503, retryAfter: 1 }, 1)
      const startedAt = await world.now()
      equal((await api('me')).status, 200, 'the status')
      ok((await world.now()) - startedAt >= 990, 'a second to have passed')
    },
  },
  {
    id: 'R7',
    title: 'from the second failure in a row on, calls fail fast and say when to come again',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      await world.set({ down: true })
      await rejection(api('me'))
      await rejection(api('me'))
      const error = await rejection(api('me'))
      ok(isAuthError(error) && (error.retryAfterMs ?? 0) > 0, 'an error with retryAfterMs')
      equal((await world.arrivals({ path: '/token' })).length, 2, 'the refreshes that were tried')
    },
  },
  {
    id: 'R7',
    title: 'a token request whose connection ends without an answer has arrived once: a rotation is not spent twice',
    async run({ world: open }) {
      const world = await open()
      // A connection that was good before: the kind on which platforms like to try again.
      const api = await world.api()
      await world.expire()
      equal((await api('me')).status, 200, 'the status')
      await world.expire()
      await world.failRefresh('lost')
      equal(await codeOf(api('me')), 'refresh-unavailable', 'the outcome')
      equal((await world.arrivals({ path: '/token' })).length, 2, 'the token requests')
      equal((await world.stats()).reuses, 0, 'the spent tokens that came again')
    },
    differs: [
      {
        note: 'sent-again',
        on: ['deno', 'chromium', 'firefox'],
        async instead({ world: open }) {
          for (const graceMs of [0, 10_000]) {
            const world = await open({ server: { graceMs } })
            const api = await world.api()
            await world.expire()
            equal((await api('me')).status, 200, 'the status')
            await world.expire()
            await world.failRefresh('lost')
            equal((await api('me')).status, graceMs > 0 ? 200 : 401, `the status with ${graceMs} ms of grace`)
            equal((await world.arrivals({ path: '/token' })).length, 3, 'the token requests')
            equal((await world.stats()).reuses, graceMs > 0 ? 0 : 1, 'the spent tokens that came again')
          }
        },
      },
    ],
  },
  {
    id: 'R8',
    title: 'over, and the store holds newer tokens: they are taken over',
    async run({ world: open }) {
      const world = await open()
      const [mine, theirs] = await signedInTwice(world)
      const session = { sessionId: 's', version: 1, tokens: { accessToken: mine } }
      const store = sharedStore(session)
      const api = world.anonymous({
        store,
        async refresh() {
          store.put({ ...session, version: 2, tokens: { accessToken: theirs } })
          return null
        },
      })
      equal((await api('me')).status, 200, 'the status before')
      await world.expire()
      const [, newer] = await signedInTwice(world)
      store.put(session)
      const second = world.anonymous({
        store,
        async refresh() {
          store.put({ ...session, version: 3, tokens: { accessToken: newer } })
          return null
        },
      })
      equal((await second('me')).status, 200, 'the status of the one that adopts')
      equal(((await store.read()) as StoredSession).version, 3, 'what is stored')
    },
  },
  {
    id: 'R9',
    title: 'over for everyone: one login is asked for, every call gets its 401, the dead token is not sent again',
    async run({ world: open }) {
      const world = await open()
      let asked = 0
      const api = await world.api({ onLoginRequired: () => void asked++ })
      await world.revoke()
      equal(await statuses(together(api, 20)), Array(20).fill(401), 'the statuses')
      equal(asked, 1, 'the logins that were asked for')
      equal(api.snapshot().status, 'signed-out', 'the session')
      await api('me')
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
    },
  },
  {
    id: 'R9',
    title: 'over, and the login brings tokens: every call that waited is answered',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api({ onLoginRequired: () => world.signIn() })
      await world.revoke()
      equal(await statuses(together(api, 20)), Array(20).fill(200), 'the statuses')
      equal((await world.stats()).logins, 2, 'the logins')
    },
  },
  {
    id: 'R10',
    title: 'an answer without a refresh token keeps the old one; so do null and an empty one',
    async run({ world: open }) {
      const world = await open()
      const accessTokens = await signedInTwice(world)
      for (const refresh_token of [undefined, null, '']) {
        const { refresh } = scripted({ access_token: accessTokens[0], refresh_token })
        const api = world.anonymous({ refresh })
        await api.signIn({ accessToken: 'old', refreshToken: 'kept' })
        equal((await api('me')).status, 200, 'the status')
        equal((await api.tokens())?.refreshToken, 'kept', 'the refresh token')
      }
    },
  },
  {
    id: 'R10',
    title: 'an answer without an access token stores nothing, and nothing of it is sent',
    async run({ world: open }) {
      const world = await open()
      for (const answer of [{}, { access_token: null }, { access_token: '' }, { access_token: 7 }]) {
        const { refresh } = scripted(answer)
        const api = world.anonymous({ refresh })
        await api.signIn({ accessToken: 'old', refreshToken: 'kept' })
        equal(await codeOf(api('me')), 'refresh-unavailable', 'the outcome')
        equal((await api.tokens())?.accessToken, 'old', 'the access token')
      }
      const sent = new Set((await world.arrivals({ path: '/me' })).map(bearerOf))
      equal([...sent], ['old'], 'what was sent')
    },
  },
  {
    id: 'R11',
    title: 'a rotation that the store cannot take lives on in memory',
    async run({ world: open }) {
      const world = await open()
      const { access_token: accessToken, refresh_token: refreshToken } = await world.signIn()
      const session: StoredSession = { sessionId: 's', version: 1, tokens: { accessToken, refreshToken } }
      const store: TokenStore = {
        read: () => session,
        write: () => {
          throw new Error('Full')
        },
      }
      const api = world.anonymous({ store })
      const failures: string[] = []
      api.on('store-failed', ({ operation }) => failures.push(operation))
      await world.expire()
      equal((await api('me')).status, 200, 'the status')
      equal((await api('me')).status, 200, 'the status of the next one')
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
      equal(failures, ['write'], 'what was told of the store')
    },
  },
  {
    id: 'R12',
    title: 'a sign-out during a refresh wins: its result is not kept',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      await world.failRefresh('hang')
      const call = api('me')
      await world.seen(1, { path: '/token' })
      await api.signOut()
      await world.release()
      const outcome = await call.then(
        ({ status }) => status,
        ({ code }: { code: string }) => code,
      )
      ok(outcome === 401 || outcome === 'signed-out', 'a 401 or signed-out')
      await world.seen(1, { path: '/token', status: 200 })
      equal([api.snapshot().status, await api.tokens()], ['signed-out', null], 'the session')
    },
  },
  {
    id: 'R12',
    title: "a sign-in during a refresh wins: no request goes again with somebody else's token",
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      await world.failRefresh('hang')
      const call = api('me')
      await world.seen(1, { path: '/token' })
      const other = await world.signIn('admin')
      await api.signIn(other)
      await world.release()
      const outcome = await call.then(
        ({ status }) => status,
        ({ code }: { code: string }) => code,
      )
      ok(outcome === 401 || outcome === 'session-changed', 'a 401 or session-changed')
      const sent = (await world.arrivals({ path: '/me' })).map(bearerOf)
      ok(!sent.includes(other.access_token), "nothing to be sent with the other session's token")
      equal((await api.tokens())?.accessToken, other.access_token, 'the session')
    },
  },
  {
    id: 'R12',
    title: "a sign-in or a sign-out once the refresh is done wins too: the second send never has somebody else's token",
    async run({ world: open }) {
      const world = await open()
      const other = await world.signIn('admin')
      // As soon as the refresh is told of, and in the middle of what comes after it: while the body of the 401 is drained.
      for (const moment of ['refreshed', 'draining']) {
        for (const change of ['signIn', 'signOut'] as const) {
          let isDue = false
          const act = async (): Promise<void> => {
            if (!isDue) return
            isDue = false
            await (change === 'signIn' ? api.signIn(other) : api.signOut())
          }
          const api: AuthFetch = await world.api({
            async fetch(input, init) {
              const response = await fetch(input, init)
              if (response.status !== 401 || moment !== 'draining') return response
              await response.arrayBuffer()
              const body = new ReadableStream<Uint8Array>(
                {
                  async pull(controller) {
                    await act()
                    controller.close()
                  },
                },
                { highWaterMark: 0 },
              )
              return new Response(body, response)
            },
          })
          if (moment === 'refreshed') api.on('refreshed', () => void act())
          await world.expire()
          isDue = true
          const path = `${moment}-${change}`
          const outcome = await api(`items?${path}`).then(
            ({ status }) => status,
            ({ code }: { code: string }) => code,
          )
          equal(isDue, false, `whether it has happened, in ${path}`)
          ok([401, 'session-changed', 'signed-out'].includes(outcome), `a 401 or an end of the session, not ${outcome}`)
          const sent = (await world.arrivals({ path: '/items' })).filter(({ query }) => query === path)
          equal(sent.length, 1, `the sends of ${path}`)
          equal((await api.tokens())?.accessToken, change === 'signIn' ? other.access_token : undefined, 'the session')
        }
      }
    },
  },
  {
    id: 'R13',
    title: 'an endpoint that rejects everything costs three refreshes at most; others recover as ever',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      const got: number[] = []
      for (let n = 0; n < 30; n++) got.push((await api('status/401')).status)
      equal(new Set(got).size, 1, 'the kinds of answers')
      ok((await world.stats()).refreshAttempts <= 3, 'three refreshes at most')
      await world.expire()
      equal((await api('me')).status, 200, 'the status of another endpoint')
    },
  },
  {
    id: 'R14',
    title: 'a token that no header can carry is refused, by an error that does not hold it',
    async run({ world: open }) {
      const world = await open()
      for (const accessToken of ['se cret', 'secret\r\nx-evil: 1', 'sécret', 'secret\u0000', '"secret"']) {
        const api = world.anonymous()
        const error = await rejection(api.signIn({ accessToken }))
        ok(isAuthError(error) && error.code === 'invalid-token', 'invalid-token')
        ok(!`${error.message} ${JSON.stringify(error)} ${error.stack}`.includes('cret'), 'an error without the token')
        equal((await api('public')).status, 200, 'the status of what needs no token')
      }
      ok(
        (await world.arrivals()).every(({ headers }) => headers.authorization === undefined),
        'no token to be sent',
      )
    },
  },
]
