// Cookies and CSRF tokens as real browsers have them: HttpOnly, in document.cookie, in a meta element; and what a redirect does.
import { beforeAll, beforeEach, expect, it } from 'vitest'
import { describeEveryBrowser, type Tab } from './bench/browsers.ts'
import type { World } from './bench/page-server.ts'

/** A session that only cookies hold. Each renewal brings a new token, percent-encoded as Laravel does it. */
class CookieSession {
  #count = 0
  isExpired = false
  readonly seen: string[] = []

  get token(): string {
    return `t=${this.#count}`
  }

  /** Signs in, or renews. */
  begin(): Response {
    this.#count++
    this.isExpired = false
    const headers = new Headers()
    headers.append('set-cookie', `sid=${this.#count}; Path=/; HttpOnly`)
    headers.append('set-cookie', `XSRF-TOKEN=${encodeURIComponent(this.token)}; Path=/`)
    return new Response(null, { status: 204, headers })
  }

  /** What the API says: who are you, or: that was not from our page. */
  answer(request: Request): Response {
    const { pathname } = new URL(request.url)
    this.seen.push(`${request.method} ${pathname} ${request.headers.get('x-xsrf-token')}`)
    const isKnown = request.headers.get('cookie')?.split('; ').includes(`sid=${this.#count}`)
    if (!isKnown || this.isExpired) return new Response(null, { status: 401 })
    return new Response(null, { status: this.isAllowed(request) ? 200 : 419 })
  }

  isAllowed({ method, headers }: Request): boolean {
    return method === 'GET' || headers.get('x-xsrf-token') === this.token
  }
}

describeEveryBrowser('cookies', (bench) => {
  let world: World
  let tab: Tab
  const session = new CookieSession()
  const moved = { isPublic: true, handle: () => new Response(null, { status: 303, headers: { location: '/account' } }) }
  const account = { isPublic: true, handle: (request: Request) => session.answer(request) }
  beforeAll(async () => {
    world = await bench.world({
      routes: {
        'POST /session': { isPublic: true, handle: () => session.begin() },
        'POST /renew': {
          isPublic: true,
          handle: (request) => {
            session.seen.push(`POST /renew ${request.headers.get('x-xsrf-token')}`)
            return session.isAllowed(request) ? session.begin() : new Response(null, { status: 419 })
          },
        },
        'POST /stale': {
          isPublic: true,
          handle: () => new Response(null, { headers: { 'set-cookie': 'XSRF-TOKEN=another; Path=/' } }),
        },
        'GET /account': account,
        'POST /account': account,
        'GET /moved': moved,
        'POST /moved': moved,
      },
    })
    tab = await bench.tab(world)
    await tab.evaluate("import('/pages/cookies.js').then(() => {})")
  })
  beforeEach(async () => {
    await tab.evaluate(() => begin())
    session.seen.length = 0
  })

  it('R1 O2 a 401 is renewed by a POST with the token of the page, and the request goes again with the next one', async () => {
    const before = session.token
    session.isExpired = true
    expect(await tab.evaluate(() => sent('cookie', '/account', { method: 'POST', body: 'x' }))).toEqual([200, null])
    expect(session.seen).toEqual([`POST /account ${before}`, `POST /renew ${before}`, `POST /account ${session.token}`])
  })

  it('D1 a token that is wrong is a denial for CSRF, and not sent again; reads carry none', async () => {
    const [denied, read] = await tab.evaluate(async () => {
      await fetch('/stale', { method: 'POST' })
      return [await sent('cookie', '/account', { method: 'POST' }), await sent('cookie', '/account')]
    })
    expect([denied, read]).toEqual([
      [419, 'csrf'],
      [200, null],
    ])
    expect(session.seen).toEqual(['POST /account another', 'GET /account null'])
  })

  it('O2 the token may be in the page', async () => {
    const outcome = await tab.evaluate(async (token) => {
      const meta = document.createElement('meta')
      meta.name = 'csrf-token'
      meta.content = token
      document.head.append(meta)
      const outcome = await sent('meta', '/account', { method: 'POST' })
      meta.remove()
      return outcome
    }, session.token)
    expect(outcome).toEqual([200, null])
  })

  it('O2 a redirect takes no token along: a read follows it, and what carries one is refused', async () => {
    expect(await tab.evaluate(() => sent('cookie', '/moved'))).toEqual([200, null])
    expect(await tab.evaluate(() => sent('cookie', '/moved', { method: 'POST' }))).toEqual(['TypeError'])
    expect(session.seen).toEqual(['GET /account null'])
  })

  it('E1 no script sees the session, and nothing of ours needs to', async () => {
    const cookies = await tab.evaluate(() => document.cookie)
    expect(cookies).toContain('XSRF-TOKEN=')
    expect(cookies).not.toContain('sid=')
  })
})
