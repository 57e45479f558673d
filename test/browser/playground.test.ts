// The playground as people meet it: `npm start` in a process of its own, and every button of its page. What the page says is
// compared with what it says the server saw; both have to be right for a test to pass.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runChild } from '../helpers/child-process.ts'
import { describeBrowsers } from './bench/browsers.ts'
import {
  card,
  counters,
  gone,
  heal,
  lastCard,
  opened,
  press,
  program,
  question,
  run,
  signIn,
  start,
  state,
  text,
  turn,
  visit,
  visitWorker,
} from './bench/playground-page.ts'

/** What stands in an answer for its tokens, and what they look like. */
const HELD = '"held_by":"service-worker"'
const TOKEN = /[ar]t_[\w-]{16,}|"id_token"/

describeBrowsers('playground', (bench) => {
  it('one refresh for 50 requests that meet a 401', async () => {
    const { page } = await visit(bench)
    await signIn(page, 'viewer')
    expect(await run(page, 'Call × 1')).toEqual(card('GET /items', ['1 × 200'], ['1 × GET /items 200']))
    expect(await run(page, 'Expire, then call × 50')).toEqual(
      card(
        '50 × GET /items on an expired token',
        ['50 × 200'],
        ['50 × GET /items 401 expired', '1 × refresh 200', '50 × GET /items 200'],
      ),
    )
    await press(page, 'Expire the token')
    expect(await run(page, 'Call × 50')).toMatchObject({ page: ['50 × 200'] })
    const counts = { requests: 201, '401': 100, '403': 0, refreshes: 2, reuses: 0, logins: 1 }
    expect(await counters(page)).toEqual(counts)
    await press(page, 'Clear')
    await page.waitForSelector('.runs .empty')
    expect(await counters(page)).toEqual({ ...counts, requests: 0, '401': 0, refreshes: 0, logins: 0 })
  })

  it('L2 a session that is revoked: the requests wait for the dialog, and go on with the login', async () => {
    const { page } = await visit(bench)
    await signIn(page, 'viewer')
    await press(page, 'Revoke the session')
    await press(page, 'Call × 50')
    expect(await question(page)).toContain(
      'GET /items met a 401. The server refused the refresh: the session is over. 50',
    )
    expect(await state(page)).toBe('login required')

    await turn(page, 'Down')
    await press(page, 'Sign in as viewer', 'button', 'dialog')
    await text(page, '.complaint', 'The auth server is down (503): nobody can sign in now.')
    await heal(page)
    await press(page, 'Sign in as viewer', 'button', 'dialog')
    expect(await lastCard(page)).toEqual(
      card(
        '50 × GET /items',
        ['50 × 200'],
        [
          '50 × GET /items 401 revoked',
          '1 × refresh 400 revoked',
          '1 × POST /login 503',
          '1 × POST /login 200',
          '50 × GET /items 200',
        ],
      ),
    )
    expect(await page.$('dialog')).toBeNull()
  })

  it('R2 R7 C3 the session in a service worker: one refresh for 50 requests, in every tab, after a reload, while the server is down', async () => {
    // With a code, and before there is a worker.
    const { page, origin, read } = await visitWorker(bench, '/sign-in?store=service-worker')
    await text(page, '#back', '/service-worker/')
    await press(page, 'Sign in as viewer')
    await text(page, '.who', 'viewer')
    expect(await run(page, 'Expire, then call × 50')).toMatchObject({ page: ['50 × 200'] })
    const second = await opened(page, () => press(page, 'Open a second tab', 'link'))
    await second.waitForSelector('.state.signed-in')
    expect(second.url()).toBe(`${origin}/service-worker/`)
    expect(await counters(page)).toMatchObject({ refreshes: 1, reuses: 0, logins: 1 })

    await page.bringToFront()
    await page.reload()
    await page.waitForSelector('.state.signed-in')
    await turn(page, 'Down')
    expect(await run(page, 'Expire, then call × 50')).toMatchObject({ page: ['50 × refresh-unavailable'] })
    expect(await state(page)).toBe('signed in')
    await heal(page)
    expect(await run(page, 'Call × 50')).toMatchObject({ page: ['50 × 200'] })
    expect(await counters(page)).toMatchObject({ refreshes: 2, reuses: 0, logins: 1 })
    expect(await run(page, 'Replay a spent token')).toMatchObject({
      page: [expect.stringMatching(/^Nothing to steal/)],
      server: [],
    })

    expect(await read()).toContain(HELD)
    expect(await read()).not.toMatch(TOKEN)
    await press(page, 'Sign out')
    await text(second, 'header output', 'signed out')
  })
})

describeBrowsers(
  'playground, button by button',
  (bench) => {
    it('every endpoint answers as its line says, after a 401 too', async () => {
      const { page } = await visit(bench)
      const outcomes = async (endpoints: string[]): Promise<string[]> => {
        const found = []
        for (const endpoint of endpoints) {
          await page.select('select', endpoint)
          await press(page, 'Expire the token')
          const { title, page: answers } = await run(page, 'Call × 1')
          found.push(`${title}: ${answers}`)
        }
        return found
      }
      await signIn(page, 'viewer')
      const all = ['GET /me', 'GET /reports', 'GET /admin', 'POST /echo', 'GET /slow', 'GET /public']
      expect(await outcomes(all)).toEqual([
        'GET /me: 1 × 200',
        'GET /reports: 1 × 403',
        'GET /admin: 1 × 403',
        'POST /echo: 1 × 200 whole',
        'GET /slow: 1 × 200',
        'GET /public: 1 × 200',
      ])
      expect(await counters(page)).toMatchObject({ '401': 5, '403': 2, refreshes: 5, reuses: 0, logins: 1 })
      await signIn(page, 'admin')
      expect(await outcomes(['GET /reports', 'GET /admin'])).toEqual(['GET /reports: 1 × 200', 'GET /admin: 1 × 200'])
    })

    it('D1 a 403 shows why, once for equal ones, and starts nothing', async () => {
      const { page } = await visit(bench)
      await signIn(page, 'viewer')
      await page.select('select', 'GET /reports')
      await run(page, 'Call × 50')
      await text(
        page,
        '.toast',
        '50 × 403 GET /reports It takes the scope reports:read. Not refreshed, not sent again.',
      )
      expect(await counters(page)).toMatchObject({ requests: 50, '403': 50, refreshes: 0 })
      await press(page, 'Dismiss: 403 GET /reports')
      await gone(page, '.toast')
    })

    it('a role that is given and taken counts at once, with the same token', async () => {
      const { page } = await visit(bench)
      await signIn(page, 'viewer')
      await page.select('select', 'GET /admin')
      await press(page, 'Promote my role')
      await text(page, 'button', 'Demote my role')
      expect(await run(page, 'Call × 1')).toMatchObject({ page: ['1 × 200'] })
      await press(page, 'Demote my role')
      await text(page, 'button', 'Promote my role')
      expect(await run(page, 'Call × 1')).toMatchObject({ page: ['1 × 403'] })
      await text(page, '.toast', '403 GET /admin This takes the role admin. Not refreshed, not sent again.')
      expect(await counters(page)).toMatchObject({ refreshes: 0, logins: 1 })
    })

    it('L5 a payment asks for a stronger login, once for all of them', async () => {
      const { page } = await visit(bench)
      await signIn(page, 'viewer')
      await page.select('select', 'POST /payments')
      await press(page, 'Call × 50')
      // All of them: one that comes after the answer would ask anew.
      await expect.poll(() => question(page)).toContain('POST /payments met a 401. It asks for mfa. 50 requests wait.')
      await press(page, 'Not now')
      expect(await lastCard(page)).toMatchObject({ page: ['50 × 401'] })
      await press(page, 'Call × 50')
      await expect.poll(() => question(page)).toContain('50 requests wait.')
      await press(page, 'Confirm with a second factor')
      expect(await lastCard(page)).toMatchObject({ page: ['50 × 201'] })
      expect(await counters(page)).toMatchObject({ refreshes: 0, logins: 2 })
    })

    it('R7 down: calls fail, nobody is signed out; healed, all is well', async () => {
      const { page } = await visit(bench)
      await signIn(page, 'viewer')
      await turn(page, 'Down')
      expect(await run(page, 'Expire, then call × 50')).toMatchObject({
        page: ['50 × refresh-unavailable'],
        server: ['50 × GET /items 401 expired', '3 × refresh 503'],
      })
      expect(await state(page)).toBe('signed in')
      await heal(page)
      expect(await run(page, 'Call × 50')).toMatchObject({ page: ['50 × 200'] })
      expect(await counters(page)).toMatchObject({ refreshes: 1, logins: 1 })
    })

    it('slow: requests wait for the refresh, together', async () => {
      const { page } = await visit(bench)
      await signIn(page, 'viewer')
      await turn(page, 'Slow')
      await press(page, 'Expire, then call × 50')
      await text(page, 'header output', 'refreshing')
      expect(await lastCard(page)).toMatchObject({ page: ['50 × 200'] })
      expect(await counters(page)).toMatchObject({ refreshes: 1 })
    })

    it('R13 every token rejected: three refreshes, then no more', async () => {
      const { page } = await visit(bench)
      await signIn(page, 'viewer')
      await turn(page, 'Reject every token')
      for (let calls = 0; calls < 5; calls++) {
        expect(await run(page, 'Call × 1')).toMatchObject({ page: ['1 × 401'] })
      }
      expect(await counters(page)).toMatchObject({ refreshes: 3, logins: 1 })
      await turn(page, 'Reject every token')
      expect(await run(page, 'Call × 1')).toMatchObject({ page: ['1 × 200'] })
    })

    it('a spent refresh token: with reuse detection the session ends, without it goes on; without rotation none is spent', async () => {
      const { page } = await visit(bench)
      await signIn(page, 'viewer')
      expect(await run(page, 'Replay a spent token')).toEqual(
        card(
          'A spent refresh token comes again',
          ['Refused with invalid_grant. The session is revoked: call something, and see.'],
          ['1 × refresh 200', '1 × refresh 400 spent'],
        ),
      )
      await press(page, 'Call × 50')
      await question(page)
      await press(page, 'Sign in as viewer', 'button', 'dialog')
      expect(await lastCard(page)).toMatchObject({ page: ['50 × 200'] })

      await turn(page, 'Reuse detection')
      await press(page, 'Replay a spent token')
      expect(await lastCard(page)).toMatchObject({ page: ['Refused with invalid_grant. The session goes on.'] })
      await turn(page, 'Rotation')
      expect(await run(page, 'Replay a spent token')).toMatchObject({
        page: ['Answered: without rotation an old token stays good.'],
        server: ['2 × refresh 200'],
      })
      expect(await run(page, 'Call × 1')).toMatchObject({ page: ['1 × 200'] })
      expect(await counters(page)).toMatchObject({ reuses: 2, logins: 2 })
    })

    it('L2 another tab signs in: the requests of this one go on; C3 it signs out, and so does this one', async () => {
      const { page, origin } = await visit(bench)
      await press(page, 'Call × 50')
      expect(await question(page)).toContain('Nobody is signed in.')
      const another = await opened(page, () => press(page, 'in another tab', 'link'))
      await press(another, 'Sign in as viewer')
      await another.waitForSelector('.state.signed-in')
      expect(another.url()).toBe(`${origin}/`)
      expect(await lastCard(page)).toMatchObject({ page: ['50 × 200'] })
      expect(await page.$('dialog')).toBeNull()

      await press(another, 'Sign out')
      await text(page, 'header output', 'signed out')
    })

    it('a second tab has the session, and so has this one after a reload; with the store memory neither has', async () => {
      const { page, origin } = await visit(bench)
      await signIn(page, 'viewer')
      const second = await opened(page, () => press(page, 'Open a second tab', 'link'))
      await second.waitForSelector('.state.signed-in')
      await second.close()
      await page.reload()
      await page.waitForSelector('.state.signed-in')
      expect(await counters(page)).toMatchObject({ logins: 1, refreshes: 0 })

      await press(page, 'memory', 'link')
      await page.waitForFunction(() => location.search === '?store=memory')
      expect(await page.$eval('button ::-p-text(8 tabs)', (button) => (button as HTMLButtonElement).disabled)).toBe(
        true,
      )
      await signIn(page, 'viewer')
      await page.reload()
      expect(await state(page)).toBe('signed out')
      expect(page.url()).toBe(`${origin}/?store=memory`)
    })

    it('L1 L3 login by redirect: one for 50 requests, back to the very place, and no loop', async () => {
      const returnTo = '/?store=memory&login=redirect#/orders?tab=1'
      const { page, origin } = await visit(bench, returnTo)
      const login = `${origin}/sign-in?returnTo=${encodeURIComponent(returnTo)}`
      for (let times = 0; times < 2; times++) {
        await press(page, 'Call × 50')
        await page.waitForSelector('body.sign-in')
        expect(page.url()).toBe(login)
        // Its script is there: until then its buttons do nothing.
        await text(page, '#back', returnTo)
        await press(page, 'Sign in as viewer')
        await page.waitForSelector('.state.signed-in')
        expect(page.url()).toBe(`${origin}${returnTo}`)
        await press(page, 'Revoke the session')
      }
      expect(await run(page, 'Call × 50')).toMatchObject({ page: ['50 × login-loop'] })
      expect(await counters(page)).toMatchObject({ logins: 2 })
    })

    it('L1 L2 L5 a service worker: a login by dialog, by redirect and in another tab, and a step-up', async () => {
      const { page, origin, read } = await visitWorker(bench, '/?store=service-worker&login=redirect')
      await page.waitForFunction(() => location.pathname === '/service-worker/')
      await press(page, 'Call × 50')
      await page.waitForSelector('body.sign-in')
      await text(page, '#back', '/service-worker/?login=redirect')
      await press(page, 'Sign in as viewer')
      await page.waitForSelector('.state.signed-in')
      expect(page.url()).toBe(`${origin}/service-worker/?login=redirect`)
      expect(await read()).toContain(HELD)

      await press(page, 'dialog', 'link')
      await page.waitForFunction(() => location.search === '')
      await page.waitForSelector('.state.signed-in')
      await press(page, 'Revoke the session')
      await press(page, 'Call × 50')
      expect(await question(page)).toContain('GET /items met a 401.')
      await press(page, 'Sign in as viewer', 'button', 'dialog')
      expect(await lastCard(page)).toMatchObject({ page: ['50 × 200'] })

      await page.select('select', 'POST /payments')
      await press(page, 'Call × 50')
      await expect.poll(() => question(page), { timeout: 5_000 }).toContain('50 requests wait.')
      await press(page, 'Confirm with a second factor')
      expect(await lastCard(page)).toMatchObject({ page: ['50 × 201'] })

      await page.select('select', 'GET /items')
      await press(page, 'Revoke the session')
      await press(page, 'Call × 1')
      await question(page)
      const another = await opened(page, () => press(page, 'in another tab', 'link'))
      await press(another, 'Sign in as viewer')
      await another.waitForSelector('.state.signed-in')
      expect(another.url()).toBe(`${origin}/service-worker/`)
      expect(await lastCard(page)).toMatchObject({ page: ['1 × 200'] })
      expect(await counters(page)).toMatchObject({ reuses: 0, logins: 4 })
      expect(await read()).not.toMatch(TOKEN)
    })

    it('a service worker that the browser ends has the session still; the other stores are none of its business', async () => {
      const { page, origin } = await visit(bench, '/service-worker/')
      await signIn(page, 'viewer')
      const devtools = await page.createCDPSession()
      await devtools.send('ServiceWorker.enable')
      await devtools.send('ServiceWorker.stopAllWorkers')
      expect(await run(page, 'Expire, then call × 50')).toMatchObject({ page: ['50 × 200'] })
      expect(await counters(page)).toMatchObject({ refreshes: 1, logins: 1 })

      await page.goto(origin)
      await signIn(page, 'admin')
      expect(await run(page, 'Expire, then call × 50')).toMatchObject({ page: ['50 × 200'] })
      await press(page, 'service-worker', 'link')
      await text(page, '.who', 'viewer')
    })

    it('L4 the login page sends nobody to another site, and a code works once', async () => {
      const { page, origin } = await visit(bench, '/sign-in?returnTo=//evil.example/')
      await text(page, '#back', '/')
      const urls: string[] = []
      page.on('framenavigated', (frame) => urls.push(frame.url()))
      await press(page, 'Sign in as admin')
      await page.waitForSelector('.state.signed-in')
      expect(await page.$eval('.who', (who) => who.textContent)).toBe('admin')
      const withCode = urls.find((url) => url.includes('code=')) as string
      expect(new URL(withCode).origin).toBe(origin)

      await page.goto(withCode)
      await text(page, '.toast', 'Not signed in This code was used before.')
      expect(page.url()).toBe(`${origin}/`)
      expect(await counters(page)).toMatchObject({ logins: 1 })
    })

    it('the devtools show what happens, and hold no token', async () => {
      const { page } = await visit(bench)
      await signIn(page, 'viewer')
      await run(page, 'Expire, then call × 50')
      const shown = (): Promise<string> =>
        page.$eval('relatch-devtools', (element) => element.shadowRoot?.textContent ?? '')
      await expect.poll(shown).toMatch(/50 requests, 1 refresh/)
      expect(`${await shown()} ${await page.content()}`).not.toMatch(TOKEN)
    })

    it('works by keyboard, and in any width without scrolling sideways', async () => {
      const { page } = await visit(bench)
      await page.focus('main button ::-p-text(Sign in as viewer)')
      await page.keyboard.press('Enter')
      await page.waitForSelector('.state.signed-in')
      await press(page, 'Revoke the session')
      await press(page, 'Call × 1')
      await question(page)
      // The dialog has the focus, and Escape answers it.
      await page.keyboard.press('Escape')
      expect(await lastCard(page)).toMatchObject({ page: ['1 × 401'] })

      await signIn(page, 'viewer')
      await run(page, 'Call × 50')
      for (const width of [320, 390, 768, 1080, 1280, 1920]) {
        await page.setViewport({ width, height: 800 })
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
      }
      const nameless = await page.$$eval('button, a, nav', (all) =>
        all.filter((one) => !(one.getAttribute('aria-label') || one.textContent?.trim())).map((one) => one.outerHTML),
      )
      expect(nameless).toEqual([])
    })

    it('says so when its server has ended', async () => {
      const { page, stop } = await visit(bench)
      await stop()
      await text(page, '[role=alert]', "The playground's server has ended. npm start brings it back.")
    })
  },
  ['chrome'],
)

describe('npm start', () => {
  it('takes another port where its own is taken, serves nothing but its files, and turns switches for its own page alone', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const port = String((taken.address() as { port: number }).port)
    onTestFinished(() => void taken.close())
    const { origin, output } = await start({ PORT: port })
    expect(output()).toMatch(new RegExp(`Port ${port} is taken`))
    expect(new URL(origin).port).not.toBe(port)

    const get = async (path: string): Promise<number> => (await fetch(`${origin}${path}`)).status
    expect(await get('/')).toBe(200)
    expect(await get('/assets/..%2F..%2F..%2Fpackage.json')).toBe(404)
    expect(await get('/%2e%2e/%2e%2e/package.json')).toBe(404)

    const body = JSON.stringify({ do: 'expire' })
    const act = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${origin}/control`, { method: 'POST', body, headers })).status
    expect(await act({})).toBe(403)
    expect(await act({ origin: 'https://evil.example' })).toBe(403)
    expect(await act({ origin })).toBe(200)
  })

  it('shows the key of a service worker to no page, and another one to each browser', async () => {
    const { origin } = await start()
    const asked = async (headers: Record<string, string>): Promise<{ key?: string | undefined; cookie: string }> => {
      const response = await fetch(`${origin}/worker.js`, { headers })
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'cache-control': 'no-store',
        vary: 'Sec-Fetch-Dest, Cookie',
        'set-cookie': expect.stringMatching(/; Path=\/worker\.js; HttpOnly; SameSite=Strict/),
      })
      const [, key] = /^self\.sessionKey = '([\w-]{43})'/.exec(await response.text()) ?? []
      return { key, cookie: response.headers.get('set-cookie')?.split(';')[0] ?? '' }
    }
    const worker = { 'sec-fetch-dest': 'serviceworker', 'service-worker': 'script' }
    const { key, cookie } = await asked(worker)
    expect(key).toBeDefined()
    expect(await asked({ ...worker, cookie })).toEqual({ key, cookie })
    expect((await asked(worker)).key).not.toBe(key)
    for (const dest of ['script', 'empty', 'worker']) {
      expect((await asked({ 'sec-fetch-dest': dest, 'service-worker': 'script', cookie })).key).toBeUndefined()
    }
    expect((await asked({ cookie })).key).toBeUndefined()
  })

  it('leaves no server behind when npm is killed, and with it the shell in between', async () => {
    const env = { PATH: process.env.PATH, PORT: '0', npm_lifecycle_event: 'start' }
    const command = `"${process.execPath}" "${fileURLToPath(program)}" --no-open; true`
    const shell = spawn(command, { env, shell: true, stdio: ['ignore', 'pipe', 'ignore'] })
    const ended = once(shell, 'close') // once nobody holds its output any more
    await once(shell.stdout, 'data')
    shell.kill('SIGTERM')
    await ended
  })

  it('-- --trace tells it in the terminal', async () => {
    const { exitCode, stdout, stderr } = await runChild(program, ['--trace'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toMatch(/50 × 200 · 1 refresh · 0 reused refresh tokens/)
  })

  it('refuses what it does not know with a clear word', async () => {
    for (const flag of ['--tarce', 'trace']) {
      const { exitCode, stdout, stderr } = await runChild(program, [flag])
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
      expect(stderr).toMatch(new RegExp(`'${flag}'[^]*npm start -- --trace`))
    }
  })
})
