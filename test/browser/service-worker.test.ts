// relatch/service-worker: the session lives in the worker, the page has what it needs of it, and no token ever comes there.
import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import type { AuthFetchOptions } from '../../src/index.ts'
import type { AuthServerOptions, IssuedTokens } from '../../src/testing/index.ts'
import { type Bench, describeBrowsers } from './bench/browsers.ts'
import { type WorkerScript, type WorkerWorld, workerWorld } from './bench/worker-world.ts'

type Given = Partial<Omit<WorkerScript, 'askedFor'>>

/** Random, for one browser: 32 bytes in base64url. */
const KEY = '3q2-7wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw'

/** A page whose session is in the worker, which is in control. */
async function open(page: Page): Promise<void> {
  await page.evaluate(async () => {
    openWorkerSession()
    await api('/public')
  })
}

async function signIn(page: Page, world: WorkerWorld, user = 'viewer'): Promise<IssuedTokens> {
  const tokens = world.server.signIn(user)
  await page.evaluate((issued) => api.signIn(issued), tokens)
  return tokens
}

interface Start {
  script?: Given
  server?: AuthServerOptions
}

async function start(bench: Bench, { script, server }: Start = {}): Promise<{ world: WorkerWorld; page: Page }> {
  const world = await workerWorld(bench, script, server)
  const page = await bench.tab(world)
  await open(page)
  return { world, page }
}

/** A new version of the worker's script, installed and in control. */
async function update(page: Page, world: WorkerWorld): Promise<void> {
  world.script.version++
  await page.evaluate(async () => {
    const inControl = new Promise((resolve) => {
      navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true })
    })
    await (await navigator.serviceWorker.ready).update()
    await inControl
  })
}

const seenAt = (world: WorkerWorld, path: string): string[] =>
  world.server.requests.filter((request) => request.path === path).map(({ credential }) => credential)

describeBrowsers('service worker', (bench) => {
  it('R2 20 plain fetches and 20 of the page meet one expired token: one refresh, in the worker', async () => {
    const { world, page } = await start(bench)
    await signIn(page, world)
    world.server.expireAccessTokens()
    const statuses = await page.evaluate(async () => {
      const plain = Array.from({ length: 20 }, async (_, call) => (await fetch(`/me?plain=${call}`)).status)
      return [...(await statusesOf(20)), ...(await Promise.all(plain))]
    })
    expect(statuses).toEqual(Array(40).fill(200))
    expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1, reuses: 0 })
    await page.evaluate(() => hearing('refreshed'))
    expect(await page.evaluate(async () => [await api.tokens(), api.snapshot().status])).toEqual([null, 'signed-in'])
  })

  it('O1 an image is recovered too; navigations, other origins, and requests with credentials of their own or none are left alone', async () => {
    const { world, page } = await start(bench)
    const elsewhere = await bench.world({ cors: true })
    await signIn(page, world)
    world.server.expireAccessTokens()
    const statuses = await page.evaluate(async (foreign) => {
      const loaded = (element: HTMLElement): Promise<unknown> =>
        new Promise((resolve) => {
          element.addEventListener('load', resolve)
          element.addEventListener('error', resolve)
          document.body.append(element)
        })
      await loaded(Object.assign(document.createElement('iframe'), { src: '/items/1' }))
      await loaded(Object.assign(document.createElement('img'), { src: '/items/2' }))
      const responses = await Promise.all([
        fetch(`${foreign}/items/3`),
        fetch('/items/4', { credentials: 'omit' }),
        fetch('/items/5', { headers: { authorization: 'Bearer mine' } }),
        api(`${foreign}/items/6`),
      ])
      return responses.map(({ status }) => status)
    }, elsewhere.origin)
    expect(statuses).toEqual([401, 401, 401, 401])
    expect(seenAt(world, '/items/1')).toEqual(['none'])
    expect(seenAt(world, '/items/2').at(-1)).toBe('valid')
    expect(['/items/4', '/items/5'].map((path) => seenAt(world, path))).toEqual([['none'], ['unknown']])
    expect(elsewhere.server.requests.filter(({ kind }) => kind === 'api').map(({ credential }) => credential)).toEqual([
      'none',
      'none',
    ])
  })

  it('B1 bodies of every kind arrive whole after a recovery in the worker', async () => {
    const { world, page } = await start(bench)
    await signIn(page, world)
    world.server.expireAccessTokens()
    const [texts, length] = await page.evaluate(async () => {
      const bodies = ['text', new URLSearchParams({ a: 'b' }), new Blob(['blob']), new TextEncoder().encode('bytes')]
      const sent = bodies.map((body) => fetch('/echo', { method: 'POST', body }).then((response) => response.json()))
      const large = await api('/echo', { method: 'POST', body: 'x'.repeat(500_000) })
      return [(await Promise.all(sent)).map(({ text }) => text), (await large.json()).length]
    })
    expect(texts).toEqual(['text', 'a=b', 'blob', 'bytes'])
    expect(length).toBe(500_000)
    expect(world.server.stats.refreshes).toBe(1)
  })

  it('L1 L2 the session is over: one login in the page, and what waited goes on, in another tab as well', async () => {
    const { world, page } = await start(bench)
    const other = await bench.tab(world)
    await open(other)
    await signIn(page, world)
    await other.evaluate(() => {
      openWorkerSession({ onLoginRequired: () => new Promise(() => {}) })
      return statusIs('signed-in')
    })
    world.server.revokeSession()
    await other.evaluate(() => {
      globalThis.outcome = api('/echo', { method: 'POST', body: 'what I typed' }).then((response) => response.json())
      return statusIs('login-required')
    })
    const tokens = world.server.signIn('viewer')
    const [statuses, logins] = await page.evaluate(async (issued) => {
      let logins = 0
      openWorkerSession({
        onLoginRequired: async () => {
          logins++
          return issued
        },
      })
      // A plain fetch has nobody to ask.
      const plain = (await fetch('/me')).status
      return [[plain, ...(await statusesOf(10))], logins]
    }, tokens)
    expect(statuses).toEqual([401, ...Array(10).fill(200)])
    expect(logins).toBe(1)
    expect(await other.evaluate(() => outcome)).toMatchObject({ text: 'what I typed' })
    expect(world.server.stats).toMatchObject({ refreshAttempts: 1, reuses: 0 })
  })

  it('C3 R12 a sign-out in one tab is one in all, and asks nobody to log in', async () => {
    const { world, page } = await start(bench)
    const other = await bench.tab(world)
    await open(other)
    await signIn(page, world)
    await other.evaluate(() => statusIs('signed-in'))
    await page.evaluate(() => api.signOut())
    await other.evaluate(() => statusIs('signed-out'))
    expect(await page.evaluate(async () => (await fetch('/me')).status)).toBe(401)
    expect(await other.evaluate(() => heard.map(({ event }) => event))).toEqual(['signed-in', 'signed-out'])
    expect(seenAt(world, '/me')).toEqual(['none'])
  })

  it('L2 what one user asked for is not carried out for another one', async () => {
    const { world, page } = await start(bench, { server: { idToken: true } })
    await signIn(page, world)
    expect(await page.evaluate(() => api.snapshot().subject)).toBe('viewer')
    world.server.revokeSession()
    const tokens = world.server.signIn('admin')
    const status = await page.evaluate(async (issued) => {
      openWorkerSession({ onLoginRequired: async () => issued })
      await statusIs('signed-in')
      return (await api('/me')).status
    }, tokens)
    expect(status).toBe(401)
  })

  it('R7 while the auth server is down the page gets an AuthError, an image a 503, and nobody is signed out', async () => {
    const { world, page } = await start(bench, { script: { options: { refreshRetries: 0 } } })
    await signIn(page, world)
    world.server.expireAccessTokens()
    world.server.down = true
    const [error, plain] = await page.evaluate(async () => {
      const error = await api('/me').catch((reason) => reason)
      const plain = await fetch('/me')
      return [
        { isOurs: relatch.isAuthError(error), code: error.code, retryable: error.retryable },
        { status: plain.status, type: plain.headers.get('content-type'), retryAfter: plain.headers.has('retry-after') },
      ]
    })
    expect(error).toEqual({ isOurs: true, code: 'refresh-unavailable', retryable: true })
    expect(plain).toEqual({ status: 503, type: 'application/problem+json', retryAfter: true })
    // The news that the refresh has failed may come after the answers.
    await page.evaluate(() => statusIs('signed-in'))
  })

  it('D1 D2 a 403 calls the page back once, with what is missing', async () => {
    const { world, page } = await start(bench)
    await signIn(page, world)
    const told = await page.evaluate(async () => {
      const denials: unknown[] = []
      const onPermissionDenied: AuthFetchOptions['onPermissionDenied'] = (denial) => {
        denials.push([denial.reason, denial.requiredScopes])
      }
      openWorkerSession({ onPermissionDenied })
      const response = await api('/reports')
      const failure = relatch.authFailureOf(response)
      await hearing('denied')
      return { denials, status: response.status, isKnown: failure !== null && 'requiredScopes' in failure }
    })
    expect(told).toEqual({ denials: [['insufficient-scope', ['reports:read']]], status: 403, isKnown: true })
    expect(seenAt(world, '/reports')).toEqual(['valid'])
  })

  it('L5 a step-up asks the page once, and the session stays the same', async () => {
    const { world, page } = await start(bench)
    await signIn(page, world)
    const stronger = world.server.signIn('viewer', { acr: 'mfa' })
    const result = await page.evaluate(async (issued) => {
      const asked: unknown[] = []
      openWorkerSession({
        onStepUp: async ({ acrValues }) => {
          asked.push(acrValues)
          return issued
        },
      })
      await statusIs('signed-in')
      const { status } = await api('/payments', { method: 'POST', body: 'x' })
      return { asked, status, events: heard.map(({ event }) => event) }
    }, stronger)
    expect(result).toEqual({ asked: [['mfa']], status: 201, events: [] })
  })

  it('R13 R1 an endpoint that rejects every token costs no login and no endless sends', async () => {
    const { world, page } = await start(bench)
    await signIn(page, world)
    const [statuses, logins] = await page.evaluate(async () => {
      let logins = 0
      openWorkerSession({ onLoginRequired: () => void logins++ })
      await statusIs('signed-in')
      return [await statusesOf(1, '/status/401'), logins]
    })
    expect([statuses, logins]).toEqual([[401], 0])
    expect(seenAt(world, '/status/401')).toEqual(['valid', 'valid'])
  })

  it('A1 an abort rejects at once, and the refresh goes on for the others', async () => {
    const { world, page } = await start(bench)
    await signIn(page, world)
    world.server.expireAccessTokens()
    world.server.failRefresh('hang')
    const name = await page.evaluate(async () => {
      const controller = new AbortController()
      const call = api('/me', { signal: controller.signal }).catch((error) => error.name)
      globalThis.outcome = statusesOf(1)
      await new Promise((resolve) => setTimeout(resolve, 300))
      controller.abort()
      return call
    })
    expect(name).toBe('AbortError')
    world.server.release()
    expect(await page.evaluate(() => outcome)).toEqual([200])
  })

  it.each([
    ['in its memory', {}],
    ['sealed with a key from its script', { key: KEY }],
  ])('an update of the worker loses neither the session, %s, nor a request under way', async (_where, script) => {
    const { world, page } = await start(bench, { script })
    await signIn(page, world)
    for (let round = 1; round <= 3; round++) {
      world.server.expireAccessTokens()
      await page.evaluate(() => {
        globalThis.outcome = Promise.all([statusesOf(10), statusesOf(3, '/slow?ms=700&x')]).then((all) => all.flat())
      })
      await update(page, world)
      expect(await page.evaluate(() => outcome)).toEqual(Array(13).fill(200))
      world.server.expireAccessTokens()
      expect(await page.evaluate(() => statusesOf(5))).toEqual(Array(5).fill(200))
      expect(await page.evaluate(() => api.snapshot().status)).toBe('signed-in')
    }
    expect(world.server.stats).toMatchObject({ reuses: 0, logins: 1 })
    expect(world.server.stats.refreshes).toBeLessThanOrEqual(6)
  })

  it('a sign-in by the token endpoint: the answer comes without its tokens', async () => {
    const { world, page } = await start(bench, { script: { options: { tokenEndpoints: ['/login'] } } })
    const answer = await page.evaluate(async () => {
      const body = new URLSearchParams({ username: 'viewer', password: 'viewer' })
      const response = await fetch('/login', { method: 'POST', body })
      const members = Object.keys(await response.json())
      const refused = await fetch('/login', { method: 'POST', body: new URLSearchParams({ username: 'x' }) })
      await statusIs('signed-in')
      return { members: members.sort(), url: response.url, refused: refused.status, me: (await api('/me')).status }
    })
    expect(answer).toMatchObject({ url: `${world.origin}/login`, refused: 401, me: 200 })
    expect(answer.members).toEqual(['expires_in', 'held_by', 'scope', 'token_type'])
  })

  it('L1 L5 what a token endpoint has left of its answer signs in as tokens do: by itself, for a login, for a step-up', async () => {
    const script = { options: { tokenEndpoints: ['/login'] } }
    const { world, page } = await start(bench, { script, server: { idToken: true } })
    const posted = await page.evaluateHandle(() => async (acr: string) => {
      const body = new URLSearchParams({ username: 'viewer', password: 'viewer', acr_values: acr })
      return (await fetch('/login', { method: 'POST', body })).json()
    })
    const status = await page.evaluate(async (logIn) => {
      await api.signIn(await logIn(''))
      // At once: whoever has signed in shows it.
      return api.snapshot().status
    }, posted)
    expect(status).toBe('signed-in')
    const stronger = await page.evaluate(async (logIn) => {
      openWorkerSession({ onStepUp: ({ acrValues }) => logIn(acrValues.join(' ')) })
      await statusIs('signed-in')
      const { status } = await api('/payments', { method: 'POST', body: 'x' })
      return { status, events: heard.map(({ event }) => event) }
    }, posted)
    expect(stronger).toEqual({ status: 201, events: [] })
    world.server.revokeSession()
    const statuses = await page.evaluate(async (logIn) => {
      openWorkerSession({ onLoginRequired: () => logIn('') })
      return statusesOf(10)
    }, posted)
    expect(statuses).toEqual(Array(10).fill(200))
    expect(world.server.stats).toMatchObject({ logins: 3, reuses: 0 })
    // Without a token, and not from such an endpoint: no sign-in.
    const refused = await page.evaluate(() => api.signIn({ expires_in: 60 } as never).catch((error) => error.code))
    expect(refused).toBe('unusable-token-response')
  })

  it('where there is no worker the page has a session of its own, which does all the same', async () => {
    const world = await workerWorld(bench)
    const page = await bench.tab(world)
    const tokens = world.server.signIn('viewer')
    const statuses = await page.evaluate(async (issued) => {
      openWorkerSession({ worker: '/missing.js' })
      await api.signIn(issued)
      return statusesOf(3)
    }, tokens)
    world.server.expireAccessTokens()
    expect([...statuses, ...(await page.evaluate(() => statusesOf(3)))]).toEqual(Array(6).fill(200))
    expect(await page.evaluate(async () => (await api.tokens()) !== null)).toBe(true)
    expect(world.server.stats).toMatchObject({ refreshes: 1, reuses: 0 })
    // A browser says so by itself.
    expect(bench.reports.splice(0).join()).toMatch(/^$|404/)
    // And where the browser has none at all.
    const status = await page.evaluate(async () => {
      Object.defineProperty(navigator, 'serviceWorker', { value: undefined, configurable: true })
      openWorkerSession()
      return (await api('/me')).status
    })
    expect(status).toBe(200)
  })

  it('a worker that does not come in time is not waited for, and gets the session of the page when it does', async () => {
    const world = await workerWorld(bench, { delayMs: 1_000, options: { tokenEndpoints: ['/token'] } })
    const page = await bench.tab(world)
    const tokens = world.server.signIn('viewer')
    const before = await page.evaluate(async (issued) => {
      openWorkerSession({ worker: { url: '/worker.js', timeoutMs: 200 } })
      await api.signIn(issued)
      return [(await api('/me')).status, (await api.tokens()) !== null]
    }, tokens)
    expect(before).toEqual([200, true])
    await expect.poll(() => page.evaluate(() => api.tokens()), { timeout: 10_000 }).toBeNull()
    world.server.expireAccessTokens()
    expect(await page.evaluate(() => statusesOf(5))).toEqual(Array(5).fill(200))
    await page.evaluate(() => hearing('refreshed'))
    expect(world.server.stats).toMatchObject({ refreshes: 1, reuses: 0, logins: 1 })
    expect(await page.evaluate(() => api.snapshot().status)).toBe('signed-in')
  })

  it('a frame of another origin, or of none, has no say in the session', async () => {
    const { world, page } = await start(bench)
    const stranger = await bench.world({
      routes: {
        'GET /stranger': {
          isPublic: true,
          handle: () =>
            new Response('<script>navigator.serviceWorker ? parent.postMessage("here", "*") : 0</script>', {
              headers: { 'content-type': 'text/html' },
            }),
        },
      },
    })
    const tokens = await signIn(page, world)
    const heard = await page.evaluate(
      async (foreign, sandboxed) => {
        const said: unknown[] = []
        globalThis.addEventListener('message', ({ data }) => said.push(data))
        const shown = (attributes: object): Promise<unknown> =>
          new Promise((resolve) => {
            const element = Object.assign(document.createElement('iframe'), attributes)
            element.addEventListener('load', resolve)
            document.body.append(element)
          })
        await shown({ src: `${foreign}/stranger` })
        await shown({ sandbox: 'allow-scripts', srcdoc: sandboxed })
        // Ports go anywhere; commands on them go nowhere.
        const { port1, port2 } = new MessageChannel()
        navigator.serviceWorker.controller?.postMessage({ relatch: 1, ask: 'state', isUncontrolled: false }, [port2])
        await new Promise((resolve) => port1.addEventListener('message', resolve, { once: true }) ?? port1.start())
        port1.postMessage({ relatch: 1, ask: 'sign-out' })
        await api('/public')
        return said
      },
      stranger.origin,
      `<script>let got; try { got = typeof navigator.serviceWorker.controller } catch (e) { got = e.name }
       fetch('${world.origin}/me').then(() => 'answered', () => 'blocked').then((me) => parent.postMessage([got, me], '*'))</script>`,
    )
    // The browser says that it blocked the sandboxed one.
    await expect.poll(() => bench.reports.join()).toMatch(/CORS/)
    bench.reports.length = 0
    await expect.poll(() => page.evaluate(() => api.snapshot().status)).toBe('signed-in')
    expect(JSON.stringify(heard)).not.toContain(tokens.access_token)
    expect(seenAt(world, '/me')).not.toContain('valid')
  })
})

describeBrowsers(
  'service worker that was ended',
  (bench) => {
    const end = async (page: Page): Promise<void> => {
      const devtools = await page.createCDPSession()
      await devtools.send('ServiceWorker.enable')
      await devtools.send('ServiceWorker.stopAllWorkers')
      await devtools.detach()
    }

    it('with a key from its script it has the session still', async () => {
      const { world, page } = await start(bench, { script: { key: KEY } })
      await signIn(page, world)
      await end(page)
      world.server.expireAccessTokens()
      expect(await page.evaluate(() => statusesOf(5))).toEqual(Array(5).fill(200))
      expect(world.server.stats).toMatchObject({ refreshes: 1, reuses: 0, logins: 1 })
    })

    it('without one the session is gone, and the next request asks for a login', async () => {
      const { world, page } = await start(bench)
      await signIn(page, world)
      await end(page)
      const tokens = world.server.signIn('viewer')
      const statuses = await page.evaluate(async (issued) => {
        openWorkerSession({ onLoginRequired: async () => issued })
        return statusesOf(5)
      }, tokens)
      expect(statuses).toEqual(Array(5).fill(200))
    })

    it('a reload past the cache leaves the page without it, and it takes the page back', async () => {
      const { world, page } = await start(bench)
      await signIn(page, world)
      const devtools = await page.createCDPSession()
      const loaded = page.waitForNavigation()
      await devtools.send('Page.reload', { ignoreCache: true })
      await loaded
      expect(await page.evaluate(() => navigator.serviceWorker.controller)).toBeNull()
      await open(page)
      expect(await page.evaluate(() => statusesOf(3))).toEqual([200, 200, 200])
    })
  },
  ['chrome'],
)
