/** O: where credentials go. */
import { type AuthScheme, createAuthFetch } from 'relatch'
import { cookie } from 'relatch/schemes/cookie'
import type { Case } from './case.ts'
import { BROWSERS } from './case.ts'
import { equal, ok, rejection, statuses } from './check.ts'
import { bearerOf } from './world.ts'

/** What a call comes to: a status, or the name of the error. */
const outcomeOf = (call: () => Promise<Response>): Promise<string> =>
  Promise.resolve()
    .then(call)
    .then(
      ({ status, type }) => `${status} ${type}`,
      ({ name }: Error) => name,
    )

const API_KEY: AuthScheme = {
  name: 'api-key',
  headers: ['x-api-key'],
  attach: (headers, { accessToken }) => headers.set('x-api-key', accessToken),
}

const redirectTo = (location: string, status = 307) => [{ status, headers: { location } }]

export const ORIGINS: readonly Case[] = [
  {
    id: 'O1',
    title: 'another port, //host and another host name get no token, and their 401s start nothing',
    async run({ world: open }) {
      const world = await open({ scripts: { 'elsewhere:/x': [{ status: 401 }] } })
      const api = await world.api()
      const { host, port } = new URL(world.elsewhere)
      const urls = [`${world.elsewhere}x`, `//${host}/${world.key}/x`, `http://localhost:${port}/${world.key}/x`]
      for (const url of urls) {
        // The host name may lead to an address at which nobody listens: then there is no answer, and no token either.
        ok(/^401|TypeError|Error/.test(await outcomeOf(() => api(url))), 'a 401, or no connection')
      }
      const seen = await world.arrivals({ place: 'elsewhere' })
      ok(seen.length >= 2, 'them to have arrived')
      ok(
        seen.every(({ headers }) => headers.authorization === undefined),
        'no token to be sent',
      )
      equal((await world.stats()).refreshAttempts, 0, 'the refreshes')
    },
  },
  {
    id: 'O1',
    title:
      'a subdomain, a longer or a dotted name, another scheme: the transport gets no token, and a 401 starts nothing',
    async run() {
      // Names that nobody need resolve: what relatch hands to the transport is what it would send.
      const handed: Array<string | null> = []
      let refreshes = 0
      const api = createAuthFetch({
        baseUrl: 'https://api.example',
        refresh: async () => ({ accessToken: `at-${++refreshes + 1}` }),
        fetch: async (_input, init) => {
          handed.push(new Headers(init?.headers).get('authorization'))
          return new Response(null, { status: 401 })
        },
      })
      await api.signIn({ accessToken: 'at-1' })
      const foreign = [
        ...[
          'https://sub.api.example/x',
          'https://example/x',
          'https://xapi.example/x',
          'https://api.example.evil.test/x',
        ],
        ...['https://api.example./x', 'http://api.example/x', 'https://api.example:8443/x', '//sub.api.example/x'],
        ...['https://api.example@evil.test/x', 'https:\\\\sub.api.example\\x', 'wss://api.example/x'],
      ]
      for (const url of foreign) equal((await api(url)).status, 401, `the status of ${url}`)
      equal([handed, refreshes], [foreign.map(() => null), 0], 'the tokens, and the refreshes')
      equal((await api('HTTPS://API.EXAMPLE:443/x')).status, 401, 'the status of our own')
      equal([handed.slice(foreign.length), refreshes], [['Bearer at-1', 'Bearer at-2'], 1], 'what our own gets')
      api.dispose()
    },
  },
  {
    id: 'O1',
    title: 'the 401 of another origin, to which a redirect has led, starts nothing',
    async run({ world: open }) {
      const there = await open({ scripts: { 'elsewhere:/to': [{ status: 401 }, { status: 200 }] } })
      const world = await open({ scripts: { '/from': redirectTo(`${there.elsewhere}to`) } })
      const api = await world.api()
      const response = await api('from')
      equal([response.status, response.redirected], [401, true], 'the response')
      equal((await world.stats()).refreshAttempts, 0, 'the refreshes')
      equal((await there.arrivals({ place: 'elsewhere' })).length, 1, 'the sends')
      equal(api.snapshot().status, 'signed-in', 'the session')
    },
  },
  {
    id: 'O1',
    title: 'userinfo, data: and blob: URLs are what they are to a bare fetch',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      const { host } = new URL(world.url)
      const blob = outcomeBlob()
      for (const url of [`http://user:word@${host}/${world.key}/public`, 'data:text/plain,hello', blob]) {
        equal(await outcomeOf(() => api(url)), await outcomeOf(() => fetch(url)), `the outcome of ${url.slice(0, 5)}`)
      }
      const seen = await world.arrivals({ path: '/public' })
      ok(
        seen.every(({ headers }) => !headers.authorization?.startsWith('Bearer')),
        'no token to be sent',
      )
    },
  },
  {
    id: 'O1',
    title: 'what says where credentials go has to be said, where no page says it',
    async run() {
      let code = ''
      try {
        createAuthFetch().dispose()
      } catch (error) {
        code = (error as { code: string }).code
      }
      equal(code, 'ERR_ORIGINS_REQUIRED', 'the code')
    },
    differs: [
      {
        note: 'page',
        on: BROWSERS,
        async instead({ world: open }) {
          const { key } = await open()
          const api = createAuthFetch()
          equal((await api(`/${key}/public`)).status, 200, 'the status, relative to the page')
          api.dispose()
        },
      },
    ],
  },
  {
    id: 'O2',
    title: 'a redirect within the origin keeps the token, and its 401 recovers',
    async run({ world: open }) {
      const world = await open({ scripts: { '/from': redirectTo('me') } })
      const api = await world.api()
      await world.expire()
      const response = await api('from')
      equal([response.status, response.redirected, response.url], [200, true, `${world.url}me`], 'the response')
      equal(
        (await world.arrivals({ path: '/me' })).map(({ status }) => status),
        [401, 200],
        'the answers',
      )
    },
  },
  {
    id: 'O2',
    title: 'a redirect to another origin does not take the token along',
    async run({ world: open }) {
      const world = await open({ scripts: { 'elsewhere:/to': [{ status: 200 }] } })
      const api = await world.api()
      const from = await open({ scripts: { '/from': redirectTo(`${world.elsewhere}to`) } })
      await outcomeOf(() => api(`${from.url}from`))
      equal((await from.arrivals({ path: '/from' })).map(bearerOf).length, 1, 'the sends')
      const seen = await world.arrivals({ place: 'elsewhere', path: '/to' })
      equal(
        seen.map(({ headers }) => headers.authorization ?? null),
        [null],
        'what the other origin got',
      )
    },
  },
  {
    id: 'O2',
    title: 'a redirect to another origin is followed without the headers of a scheme (API key, DPoP)',
    async run({ world: open }) {
      const world = await open({
        scripts: { 'elsewhere:/to': [{ status: 200 }], 'elsewhere:/back': [{ status: 200 }] },
      })
      const api = world.anonymous({ scheme: API_KEY })
      await api.signIn({ accessToken: 'key-1' })
      const from = await open({ scripts: { '/from': redirectTo(`${world.elsewhere}to`) } })
      equal((await api(`${from.url}from`)).status, 200, 'the status')
      equal(
        (await from.arrivals()).map(({ headers }) => headers['x-api-key']),
        ['key-1'],
        'what the API got',
      )
      const seen = await world.arrivals({ place: 'elsewhere', path: '/to' })
      equal(
        seen.map(({ headers }) => headers['x-api-key'] ?? null),
        [null],
        'what the other origin got',
      )
    },
    differs: [
      {
        note: 'redirects',
        on: BROWSERS,
        async instead({ world: open }) {
          const world = await open()
          const api = world.anonymous({ scheme: API_KEY })
          await api.signIn({ accessToken: 'key-1' })
          const from = await open({
            scripts: { '/from': redirectTo(`${world.elsewhere}to`), '/home': redirectTo('me') },
          })
          for (const path of ['from', 'home']) {
            ok((await rejection(api(`${from.url}${path}`))) instanceof TypeError, 'a TypeError')
          }
          equal(await world.arrivals({ place: 'elsewhere' }), [], 'what the other origin got')
        },
      },
    ],
  },
  {
    id: 'O2',
    title: 'a token request is never redirected',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      await world.failRefresh({ redirect: `${world.elsewhere}token` })
      const error = (await rejection(api('me'))) as { code: string }
      equal(error.code, 'refresh-unavailable', 'the outcome')
      equal(await world.arrivals({ place: 'elsewhere' }), [], 'what the other origin got')
      equal(api.snapshot().status, 'signed-in', 'the session')
    },
  },
  {
    id: 'O2',
    title: 'redirect: manual is the caller’s: a redirect that can be read',
    async run({ world: open }) {
      const world = await open({ scripts: { '/from': redirectTo('me', 302) } })
      const api = await world.api()
      const response = await api('from', { redirect: 'manual' })
      equal([response.status, response.headers.get('location')], [302, 'me'], 'the redirect')
    },
    differs: [
      {
        note: 'redirects',
        on: BROWSERS,
        async instead({ world: open }) {
          const world = await open({ scripts: { '/from': redirectTo('me', 302) } })
          const api = await world.api()
          const response = await api('from', { redirect: 'manual' })
          equal([response.status, response.type], [0, 'opaqueredirect'], 'the redirect')
        },
      },
    ],
  },
  {
    id: 'O2',
    title: 'redirect: error is the caller’s: a TypeError',
    async run({ world: open }) {
      const world = await open({ scripts: { '/from': redirectTo('me', 302) } })
      const api = await world.api()
      ok((await rejection(api('from', { redirect: 'error' }))) instanceof Error, 'an error')
      equal(await world.arrivals({ path: '/me' }), [], 'what was followed')
    },
  },
  {
    id: 'O3',
    title: 'an Authorization of the caller’s is left alone, and its 401 starts nothing',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      const headers = { authorization: 'Bearer mine' }
      equal((await api('me', { headers })).status, 401, 'the status')
      equal((await api(new Request(`${world.url}me`, { headers }))).status, 401, 'the status of the Request')
      equal((await world.arrivals({ path: '/me' })).map(bearerOf), ['mine', 'mine'], 'what was sent')
      equal((await world.stats()).refreshAttempts, 0, 'the refreshes')
    },
  },
  {
    id: 'O3',
    title: 'a Cookie that the caller sets goes along, again after a 401',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      equal((await api('me', { headers: { cookie: 'a=1' } })).status, 200, 'the status')
      equal(
        (await world.arrivals({ path: '/me' })).map(({ headers }) => headers.cookie ?? null),
        ['a=1', 'a=1'],
        'the cookies',
      )
    },
    differs: [
      {
        note: 'forbidden-headers',
        on: BROWSERS,
        async instead({ world: open }) {
          const world = await open()
          const api = await world.api()
          await world.expire()
          equal((await api('me', { headers: { cookie: 'a=1', origin: 'http://x.example' } })).status, 200, 'the status')
          const seen = await world.arrivals({ path: '/me' })
          equal(
            seen.map(({ headers }) => headers.cookie ?? null),
            [null, null],
            'the cookies',
          )
          ok(
            seen.every(({ headers }) => headers.origin !== 'http://x.example'),
            'the page’s own origin, or none',
          )
        },
      },
    ],
  },
  {
    id: 'O4',
    title: 'a polluted prototype changes nothing',
    async run({ world: open }) {
      const world = await open()
      const prototype = Object.prototype as Record<string, unknown>
      const pollution = {
        origins: () => true,
        allowInsecure: true,
        onLoginRequired: () => ({ accessToken: 'evil' }),
        accessToken: 'evil',
        refreshToken: 'evil',
        isAmbient: true,
      }
      const api = await world.api()
      // Only for as long as nobody else runs: whatever drives a browser looks into objects of the page, too.
      const begin = (): Array<Promise<Response>> => {
        Object.assign(prototype, pollution)
        try {
          const polluted = world.anonymous()
          return [polluted('me'), polluted(`${world.elsewhere}public`), api(`${world.elsewhere}public`)]
        } finally {
          for (const name of Object.keys(pollution)) delete prototype[name]
        }
      }
      equal(await statuses(begin()), [401, 200, 200], 'the statuses')
      const seen = await world.arrivals()
      ok(
        seen.every(({ headers }) => !headers.authorization),
        'no token to be sent',
      )
    },
  },
  {
    id: 'O4',
    title: 'a scheme of cookies names its credentials, and a platform that has none of those goes on without',
    async run({ world: open, runtime }) {
      const world = await open()
      const api = world.anonymous({ baseUrl: world.elsewhere, scheme: cookie() })
      await api.signIn(true)
      equal((await api('public')).status, 200, `the status in ${runtime}`)
      equal((await world.arrivals({ place: 'elsewhere', path: '/public' })).length, 1, 'the sends')
    },
  },
]

function outcomeBlob(): string {
  try {
    return URL.createObjectURL(new Blob(['hello']))
  } catch {
    // workerd has no such URLs: one that nobody has made will do.
    return 'blob:null/6e7a4f0c-6c3b-4a0e-9d5e-000000000000'
  }
}
