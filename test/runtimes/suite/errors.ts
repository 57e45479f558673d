/** E: errors, events, and what must never be said. */
import {
  type AuthEvents,
  authFailureOf,
  isAuthError,
  jwtExpiresAt,
  parseChallenges,
  retryUnlessAuth,
  safeReturnTo,
  tokensFromResponse,
} from 'relatch'
import type { Case, Context } from './case.ts'
import { equal, ok, rejection } from './check.ts'
import { reportedEarly } from './early.ts'

/** Every event that there is: one that is new has to be here too, or this is no Record. */
const NAMES: Readonly<Record<keyof AuthEvents, true>> = {
  ...{ refreshed: true, 'refresh-failed': true, adopted: true, request: true, recovered: true, denied: true },
  ...{ 'login-required': true, 'step-up': true, 'signed-in': true, 'signed-out': true, 'subject-changed': true },
  ...{ 'not-replayed': true, 'store-failed': true },
}
const EVENTS = Object.keys(NAMES) as Array<keyof AuthEvents>

/** All that a value says, of itself and of what caused it, enumerable or not. */
function everything(value: unknown, depth = 0): string {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  if (!isObject || depth > 4) return textOf(value)
  const members = Object.getOwnPropertyNames(value).map((name) => everything(Reflect.get(value, name), depth + 1))
  return [textOf(value), ...members].join(' ')
}

/** What is on no prototype has no text. */
function textOf(value: unknown): string {
  try {
    return String(value)
  } catch {
    return ''
  }
}

/** Refreshes that fail, in every way, when everybody who waited for them has left. */
async function leaveRefreshes({ world: open }: Context): Promise<void> {
  const world = await open()
  let refreshes = 0
  for (const fault of [503, 'drop', 'garbage', { error: 'invalid_grant' }] as const) {
    const api = await world.api()
    await world.expire()
    await world.failRefresh(fault)
    const leaving = new AbortController()
    const { signal } = leaving
    const calls = Promise.allSettled([api('me', { signal }), api('items', { signal })])
    await world.seen(++refreshes, { path: '/token' })
    leaving.abort()
    await calls
  }
  await world.sleep(50)
}

export const ERRORS: readonly Case[] = [
  {
    id: 'E1',
    title: 'no token in any error, event, snapshot or callback',
    async run({ world: open }) {
      const world = await open()
      const said: unknown[] = []
      const api = await world.api({
        onPermissionDenied: ({ reason, request, challenges }) => void said.push({ reason, request, challenges }),
        onLoginRequired: ({ reason, request, challenges, returnTo }) =>
          void said.push({ reason, request, challenges, returnTo }),
      })
      const heard = new Set<string>()
      for (const event of EVENTS) {
        api.on(event, (payload) => {
          heard.add(event)
          said.push(payload)
        })
      }
      const secrets: string[] = []
      const remember = async (): Promise<void> => {
        const tokens = await api.tokens()
        secrets.push(tokens?.accessToken ?? '', tokens?.refreshToken ?? '')
      }
      await remember()
      await api(`admin?token=${secrets[0]}`)
      await world.expire()
      await api('me')
      await remember()
      await world.expire()
      for (const fault of [503, 'garbage', 'drop'] as const) {
        const other = world.anonymous()
        await other.signIn(await world.signIn())
        const tokens = await other.tokens()
        secrets.push(tokens?.accessToken ?? '', tokens?.refreshToken ?? '')
        await world.expire()
        await world.failRefresh(fault, 'always')
        said.push(await rejection(other('me')))
        await world.heal()
      }
      await world.revoke()
      said.push(api.snapshot(), (await api('me')).status, api.snapshot(), api)
      for (const subject of ['u-1', 'u-2']) {
        const { access_token: accessToken, refresh_token: refreshToken } = await world.signIn()
        await api.signIn({ accessToken, refreshToken, subject })
        await remember()
        said.push(api.snapshot())
      }
      const unheard = EVENTS.filter((event) => !heard.has(event))
      equal(unheard, ['adopted', 'step-up', 'not-replayed', 'store-failed'], 'the events that were not heard')
      const text = said.map((one) => `${everything(one)} ${JSON.stringify(one)}`).join('\n')
      ok(text.includes('refresh-unavailable') && text.includes('refreshId'), 'what was said to be there')
      const found = secrets.filter((secret) => secret !== '' && text.includes(secret.slice(0, 16)))
      equal([found.length, secrets.length >= 8], [0, true], 'the tokens that were found')
    },
  },
  {
    id: 'E2',
    title: 'a network error is the platform’s own',
    async run({ world: open }) {
      const world = await open({ scripts: { '/dropped': [{ status: 0 }] } })
      const api = await world.api()
      const [ours, theirs] = (await Promise.all(
        [api, fetch].map((call) => rejection(call(`${world.url}dropped`))),
      )) as [Error, Error]
      equal([ours.name, ours.constructor === theirs.constructor], [theirs.name, true], 'the error')
      ok(!isAuthError(ours), 'no AuthError')
    },
  },
  {
    id: 'E2',
    title: 'an abort reason is the caller’s own, in the middle of a request too',
    async run({ world: open }) {
      const world = await open({ scripts: { '/held': [{ gate: 'never', status: 200 }] } })
      const api = await world.api()
      const errors = await Promise.all(
        [api, fetch].map(async (call, index) => {
          const leaving = new AbortController()
          const outcome = rejection(call(`${world.url}held?n=${index}`, { signal: leaving.signal }))
          await world.seen(1, { path: '/held' })
          leaving.abort()
          return ((await outcome) as Error).name
        }),
      )
      equal(errors, ['AbortError', 'AbortError'], 'the errors')
    },
  },
  {
    id: 'E3',
    title: 'a listener that throws breaks nothing',
    async run({ world: open, reports }) {
      const world = await open()
      const api = await world.api()
      for (const event of EVENTS) {
        api.on(event, () => {
          throw new Error('A listener')
        })
        api.on(event, async () => {
          throw new Error('An async listener')
        })
      }
      api.subscribe(() => {
        throw new Error('A subscriber')
      })
      await world.expire()
      equal((await api('me')).status, 200, 'the status')
      equal((await api('admin')).status, 403, 'the status of a denial')
      await world.sleep(50)
      equal(reports, [], 'what was reported')
    },
  },
  {
    id: 'E3',
    title: 'no rejection that nobody handles, nothing on the console: not even of refreshes that nobody waits for',
    async run(context) {
      await leaveRefreshes(context)
      equal(context.reports, [], 'what was reported')
    },
    differs: [reportedEarly(leaveRefreshes)],
  },
  {
    id: 'E3',
    title: 'a rejection that nobody handles would be heard: the case above can fail',
    async run({ world: open, reports }) {
      const world = await open()
      void Promise.reject(new Error('On purpose'))
      console.warn('on purpose')
      await world.sleep(50)
      equal(reports.length, 2, 'what was reported')
      reports.splice(0)
    },
  },
  {
    id: 'E4',
    title: 'challenges are parsed as RFC 9110 has them, and what is malformed is null',
    async run() {
      const header = 'Bearer realm="a, b", error="invalid_token", Basic dXNlcg==, DPoP algs="ES256 PS256"'
      const parsed = parseChallenges(header)
      equal(
        parsed?.map(({ scheme }) => scheme),
        ['bearer', 'basic', 'dpop'],
        'the schemes',
      )
      equal(parsed?.[0]?.params.realm, 'a, b', 'a quoted comma')
      for (const malformed of ['Bearer realm="', 'Bearer =', '"', 'Bearer a=b c=d']) {
        equal(parseChallenges(malformed), null, malformed)
      }
    },
  },
  {
    id: 'E4',
    title: 'a header of 16 KiB that means harm is read in a moment, a longer one not at all',
    async run({ world: open }) {
      const world = await open()
      const startedAt = await world.now()
      for (const piece of ['Bearer ', 'a=', 'a="', '\\"', ', ', 'x y=z, ', '"\\', '= ']) {
        for (let n = 0; n < 20; n++) parseChallenges(piece.repeat(Math.floor(16_384 / piece.length)))
      }
      ok((await world.now()) - startedAt < 2000, 'two seconds at most')
      equal(parseChallenges(`Bearer realm="${'a'.repeat(16_384)}"`), null, 'a longer one')
    },
  },
  {
    id: 'E4',
    title: 'a 401 with a hostile challenge recovers as any other',
    async run({ world: open }) {
      const hostile = { 'www-authenticate': `Bearer ${'a='.repeat(2000)}"` }
      const world = await open({ scripts: { '/hostile': [{ status: 401, headers: hostile }, { status: 200 }] } })
      const api = await world.api()
      equal((await api('hostile')).status, 200, 'the status')
    },
  },
  {
    id: 'E5',
    title: 'parsers of what comes from outside never throw anything of their own',
    async run() {
      let seed = 1
      const random = (below: number): number => {
        seed = (seed * 48_271) % 2_147_483_647
        return seed % below
      }
      const letters = [
        '"',
        '\\',
        '=',
        ',',
        ' ',
        '.',
        '/',
        ':',
        '@',
        'a',
        'Z',
        '0',
        '\u0000',
        'ü',
        '{',
        '}',
        '[',
        '\n',
        '%',
      ]
      for (let n = 0; n < 2000; n++) {
        const text = Array.from({ length: random(40) }, () => letters[random(letters.length)]).join('')
        parseChallenges(text)
        equal(jwtExpiresAt(text), null, 'no expiry')
        const back = safeReturnTo(text, { base: 'https://app.example' })
        ok(back.startsWith('/') && !back.startsWith('//'), 'a path')
      }
      for (const value of [null, undefined, 1, 'x', [], {}, () => {}, Symbol('x'), new Response(), new Error('x')]) {
        ok(typeof retryUnlessAuth(value) === 'boolean', 'a yes or no')
        ok(isAuthError(value) === false, 'no AuthError')
        try {
          tokensFromResponse(value)
          throw new TypeError('Expected an AuthError')
        } catch (error) {
          ok(isAuthError(error) && error.code === 'unusable-token-response', 'unusable-token-response')
        }
      }
      equal(authFailureOf(new Response()), null, 'a response that was none of ours')
    },
  },
  {
    id: 'E5',
    title: 'authFailureOf knows a 401 and a 403 that were handed back',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      const [denied, refused] = await Promise.all([api('reports'), api('status/401')])
      const denial = authFailureOf(denied)
      ok(denial !== null && 'requiredScopes' in denial, 'a denial')
      equal(denial.requiredScopes, ['reports:read'], 'the scopes')
      equal((authFailureOf(refused) as { reason: string }).reason, 'session-over', 'the reason')
    },
  },
]
