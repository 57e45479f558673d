/** What each app with a server has to show, whatever its framework: asked over HTTP as a browser asks, and in a browser. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Browser } from 'puppeteer-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { launch } from '../browser/bench/launch.ts'
import { Visitor } from './app-world.ts'
import { HttpVisitor, type Page } from './http-visitor.ts'
import { openServerWorld, type ServerWorld, USERS } from './server-world.ts'

export interface ServerApp {
  /** Arguments for Node that run the built app in its folder. */
  start(port: number): readonly string[]
  /** What a browser can load of it, in its folder. */
  clientFiles: string
  /** Whether the page that takes a login shows the form itself, with the status 401, or leads to the login page. */
  login: 'in-place' | 'redirect'
  /** Whether a response that is being rendered can set cookies; where not, the next one does. */
  canSetCookies: boolean
}

/** A type check and a bundler, on a machine that has more to do. */
const BUILD_MS = 300_000

/** The auth server's tokens. */
const TOKEN = /[ar]t_[\w-]{16,}/
/** What says that a module of the server has got into a script: what encrypts cookies, and where secrets come from. */
const SERVERS_OWN = /AES-GCM|SESSION_SECRET|sessionSecret|AUTH_URL|authUrl/

/** @param more what this app alone has to show */
export function describeServerApp(
  name: string,
  { start, clientFiles, login, canSetCookies }: ServerApp,
  more?: (world: () => ServerWorld) => void,
): void {
  describe(name, () => {
    let world: ServerWorld
    let browser: Browser
    beforeAll(async () => {
      world = await openServerWorld(name, start)
      browser = await launch('chrome')
    }, BUILD_MS)
    afterAll(async () => {
      await browser?.close()
      await world?.close()
    })
    beforeEach(() => {
      world.server.reset()
      world.server.heal()
      world.firstTtlMs = 300_000
    })

    const visitor = (): HttpVisitor => new HttpVisitor(world.origin)
    const signedIn = async (user: string): Promise<HttpVisitor> => {
      const who = visitor()
      await who.signIn(user)
      return who
    }
    const five = (who: HttpVisitor): Promise<Page[]> => Promise.all(Array.from({ length: 5 }, () => who.open('/')))

    it('L3 L4 nobody is signed in: the login, and back to where the user was going', async () => {
      const who = visitor()
      const { status, place } = await who.open('/?tab=2')
      if (login === 'in-place') expect({ status, place }).toEqual({ status: 401, place: '/?tab=2' })
      else {
        expect(new URL(place, world.origin).pathname).toBe('/login')
        expect(new URL(place, world.origin).searchParams.get('returnTo')).toBe('/?tab=2')
      }
      const wrong = await who.signIn('adaline', '/?tab=2', 'wrong')
      expect(wrong.html).toContain('Wrong name or password')
      expect(who.cookie).toBe('')
      const right = await who.signIn('adaline', '/?tab=2')
      expect(right).toMatchObject({ status: 200, place: '/?tab=2' })
      expect(right.html).toMatch(/<h1[^>]*>adaline</)
      const elsewhere = await visitor().signIn('adaline', '//evil.example/')
      expect(elsewhere.place).toBe('/')
    })

    it('R2 C1 five pages at once with a token that the API refuses: one refresh, and the next process knows of it', async () => {
      const who = await signedIn('adaline')
      const before = who.cookie
      world.server.expireAccessTokens('adaline')
      for (const page of await five(who)) {
        expect(page.status).toBe(200)
        expect(page.html).toMatch(/<h1[^>]*>adaline</)
      }
      if (!canSetCookies) {
        expect(who.cookie).toBe(before)
        await who.open('/')
      }
      expect(who.cookie).not.toBe(before)
      await world.restart()
      expect((await who.open('/')).status).toBe(200)
      expect(world.server.stats).toMatchObject({ refreshAttempts: 1, refreshes: 1, reuses: 0 })
    })

    it('R4 C1 five pages at once with a token that is known to have expired: one refresh before any of them asks', async () => {
      world.firstTtlMs = 0
      const who = visitor()
      // To a page that asks the API for nothing.
      await who.signIn('adaline', '/login')
      for (const page of await five(who)) expect(page.status).toBe(200)
      await world.restart()
      expect((await who.open('/')).status).toBe(200)
      expect(world.server.stats).toMatchObject({ refreshAttempts: 1, refreshes: 1, reuses: 0, rejected: 0 })
    })

    it('nobody sees what is somebody else’s, however the requests cross', async () => {
      const people = await Promise.all(USERS.map(async (user) => ({ user, who: await signedIn(user) })))
      for (let round = 0; round < 3; round++) {
        world.server.expireAccessTokens()
        await Promise.all(
          people.map(async ({ user, who }) => {
            for (const { html } of await five(who)) {
              expect(html).toMatch(new RegExp(`<h1[^>]*>${user}<`))
              for (const other of USERS) if (other !== user) expect(html).not.toContain(other)
            }
          }),
        )
      }
      expect(world.server.stats).toMatchObject({ refreshes: 3 * USERS.length, reuses: 0 })
    })

    it('D1 a 403 of the API is the status of the page', async () => {
      const who = await signedIn('adaline')
      expect((await who.open('/admin')).status).toBe(403)
      const admin = await (await signedIn('admin')).open('/admin')
      expect(admin.status).toBe(200)
      expect(admin.html).toContain('may do everything')
      expect(world.server.stats.refreshAttempts).toBe(0)
    })

    it('R9 a session that is over: the login once more', async () => {
      const who = await signedIn('adaline')
      world.server.revokeSession('adaline')
      const page = await who.open('/')
      expect(page.html).not.toMatch(/<h1[^>]*>adaline</)
      if (login === 'in-place') expect(page.status).toBe(401)
      else expect(page.place).toMatch(/^\/login\?/)
      await who.open('/')
      expect(world.server.stats).toMatchObject({ refreshAttempts: 1 })
      expect((await who.signIn('adaline')).html).toMatch(/<h1[^>]*>adaline</)
    })

    it('sign-out ends it', async () => {
      const who = await signedIn('adaline')
      const copy = who.cookie
      const { place } = await who.send(await who.open('/'))
      expect(place).toBe('/login')
      expect(who.cookie).toBe('')
      const thief = await visitor().fetch('/api/me', { headers: { cookie: copy } })
      expect(thief.status).toBe(401)
    })

    it('a script gets the API’s own answers through the app’s route, and nothing that another site has asked for', async () => {
      const who = await signedIn('adaline')
      world.server.expireAccessTokens('adaline')
      expect(await (await who.fetch('/api/me')).json()).toMatchObject({ user: 'adaline' })
      expect(await (await who.fetch('/api/items?page=2')).json()).toMatchObject({ query: { page: '2' } })
      const body = JSON.stringify({ text: 'ü'.repeat(1000) })
      const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
      const echo = await who.fetch('/api/echo', { method: 'POST', body, headers })
      expect(await echo.json()).toMatchObject({ contentType: 'application/json', length: Buffer.byteLength(body) })
      const denied = await who.fetch('/api/admin')
      expect(denied.status).toBe(403)
      expect(await denied.json()).toMatchObject({ title: 'Forbidden' })
      expect((await visitor().fetch('/api/me')).status).toBe(401)
      // Whose host the path is made to name.
      expect((await who.open('/api//evil.example')).status).toBe(404)
      const before = world.server.stats.apiRequests
      for (const site of ['cross-site', 'same-site']) {
        const forged = { method: 'POST', body, headers: { ...headers, 'sec-fetch-site': site } }
        expect((await who.fetch('/api/echo', forged)).status).toBe(403)
      }
      expect(world.server.stats.apiRequests).toBe(before)
    })

    it('E1 no token is in what a browser gets: pages, payloads, scripts', async () => {
      const who = await signedIn('adaline')
      world.server.expireAccessTokens('adaline')
      await five(who)
      for (const place of ['/', '/admin', '/login', '/api/me', '/api/admin']) await who.open(place)
      const payload = { headers: { accept: '*/*', rsc: '1' } }
      for (const place of ['/', '/__data.json', '/_payload.json']) await who.open(place, payload)
      expect(who.received.filter((text) => /25\W.{0,12}items/.test(text)).length).toBeGreaterThan(5)
      expect(who.received.filter((text) => TOKEN.test(text))).toEqual([])
      const [, sealed = ''] = who.cookie.split('=')
      expect(sealed.length).toBeGreaterThan(100)
      expect(who.received.filter((text) => text.includes(sealed))).toEqual([])
      expect(who.setCookies.length).toBeGreaterThan(1)
      for (const line of who.setCookies) {
        expect(line).toMatch(/; ?HttpOnly/i)
        expect(line).toMatch(/; ?Secure/i)
        expect(line).not.toMatch(TOKEN)
      }
      const leaking = filesIn(path.resolve(import.meta.dirname, '../../examples/frameworks', name, clientFiles)).filter(
        (file) => SERVERS_OWN.test(readFileSync(file, 'utf8')),
      )
      expect(leaking).toEqual([])
      expect(world.printed()).not.toMatch(TOKEN)
    })

    it('E3 in a browser: the login, calls of the page, a session that ends under it, and sign-out', async () => {
      const window = await browser.createBrowserContext()
      onTestFinished(() => window.close())
      const who = new Visitor(await window.newPage(), world.server, world.origin)
      await who.open('/?tab=2')
      await who.sees('Sign in', 'h1')
      const { pathname, searchParams } = new URL(who.page.url())
      if (login === 'in-place') expect(pathname).toBe('/')
      else expect(searchParams.get('returnTo')).toBe('/?tab=2')
      await who.signsIn('adaline', 'wrong')
      await who.sees('Wrong name or password', '[role=alert]')
      await who.signsIn('adaline')
      await who.isAt('/?tab=2')
      await who.sees('adaline', 'h1')
      await who.sees('25 items')

      world.server.expireAccessTokens()
      world.server.reset()
      await who.presses('Who am I?')
      await world.server.seen(1, { path: '/me', status: 200 })
      await who.sees('adaline', 'output')
      expect(world.server.stats).toMatchObject({ refreshes: 1, reuses: 0 })
      const [cookie = '', ...kept] = await who.page.evaluate(() => [
        document.cookie,
        JSON.stringify({ ...localStorage, ...sessionStorage }),
        document.documentElement.outerHTML,
      ])
      expect(cookie).toBe('')
      expect(kept.filter((text) => TOKEN.test(text))).toEqual([])

      world.server.revokeSession()
      await who.presses('Who am I?')
      await who.sees('Sign in', 'h1')
      expect(new URL(who.page.url()).searchParams.get('returnTo')).toBe('/?tab=2')
      await who.signsIn('adaline')
      await who.isAt('/?tab=2')
      await who.sees('adaline', 'h1')

      await who.open('/admin')
      await who.sees('This is not for you', 'h1')
      await who.open('/')
      await who.presses('Sign out')
      await who.isAt('/login')
      await who.sees('Sign in', 'h1')
      expect(who.reports).toEqual([])
    })

    more?.(() => world)
  })
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.js'))
    .map((entry) => path.join(entry.parentPath, entry.name))
