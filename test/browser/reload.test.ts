// What is left of a session when pages go: reloads, new tabs, the last tab; and what rests on the disk meanwhile.
import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { describeBrowsers, describeEveryBrowser } from './bench/browsers.ts'
import { filesWith } from './bench/profile.ts'
import { becomes, openSessions, signIn } from './bench/sessions.ts'
import { STORES } from './bench/stores.ts'

describeEveryBrowser('reload', (bench) => {
  it.each(['webStorage', 'indexedDb'] as const)('%s: a reload keeps the session', async (store) => {
    const world = await bench.world()
    const tab = await bench.tab(world)
    await signIn([tab], store, world.server)
    await tab.reload()
    await openSessions([tab], store)
    expect(await tab.evaluate(() => statusesOf(1))).toEqual([200])
    expect(world.server.stats).toMatchObject({ logins: 1, refreshAttempts: 0, rejected: 0 })
  })

  it('webStorage: a reloaded page knows its session from the first line on', async () => {
    const world = await bench.world()
    const tab = await bench.tab(world)
    await signIn([tab], 'webStorage', world.server)
    await tab.reload()
    const statuses = await tab.evaluate(() => {
      const before = relatch.createAuthFetch({ store: relatch.webStorageStore({ key: 'another' }) })
      openSession('webStorage')
      return [before.snapshot().status, api.snapshot().status]
    })
    expect(statuses).toEqual(['signed-out', 'signed-in'])
  })

  it('webStorage: a page that signs out and leaves at once is signed out when it comes back, and leaves no token', async () => {
    const world = await bench.world()
    const tab = await bench.tab(world)
    for (let round = 0; round < 5; round++) {
      await signIn([tab], 'webStorage', world.server)
      await tab.evaluate(() => void api.signOut())
      await tab.reload()
      await openSessions([tab], 'webStorage')
      expect(await tab.evaluate(() => api.snapshot().status)).toBe('signed-out')
    }
    await tab.evaluate(() => api.signOut())
    expect(await tab.evaluate(() => Object.keys(localStorage))).toEqual([])
  })

  it('sharedTabs: a new tab gets the session from another', async () => {
    const world = await bench.world()
    const tab = await bench.tab(world)
    await signIn([tab], 'sharedTabs', world.server)
    const another = await bench.tab(world)
    await openSessions([another], 'sharedTabs')
    expect(await another.evaluate(() => statusesOf(1))).toEqual([200])
    expect(world.server.stats).toMatchObject({ logins: 1, refreshAttempts: 0, rejected: 0 })
  })

  it('sharedTabs: a reload keeps the session while a second tab is open, and the last tab takes it along', async () => {
    const world = await bench.world()
    const [one, two] = await bench.tabs(2, world)
    await signIn([one, two], 'sharedTabs', world.server)
    await one.reload()
    await openSessions([one], 'sharedTabs')
    expect(await one.evaluate(() => statusesOf(1))).toEqual([200])

    await Promise.all([one.close(), two.close()])
    const late = await bench.tab(world)
    await openSessions([late], 'sharedTabs')
    expect(await late.evaluate(() => api.tokens())).toBeNull()
    expect(await late.evaluate(() => api.snapshot().status)).toBe('signed-out')
    // And the next one can begin in its place.
    await late.evaluate((tokens) => api.signIn(tokens), world.server.signIn('viewer'))
    expect(await late.evaluate(() => statusesOf(1))).toEqual([200])
  })

  it('sharedTabs: a reload of the only tab ends the session', async () => {
    const world = await bench.world()
    const tab = await bench.tab(world)
    await signIn([tab], 'sharedTabs', world.server)
    await tab.reload()
    await openSessions([tab], 'sharedTabs')
    expect(await tab.evaluate(() => api.tokens())).toBeNull()
  })

  it.each(STORES)(
    '%s: a tab that is opened in the middle of a refresh waits for it and spends nothing',
    async (store) => {
      const world = await bench.world()
      const tab = await bench.tab(world)
      await signIn([tab], store, world.server)
      world.server.expireAccessTokens()
      world.server.failRefresh('hang')
      const calls = tab.evaluate(() => statusesOf(2))
      await world.server.seen(1, { kind: 'refresh' })
      const another = await bench.tab(world)
      await openSessions([another], store)
      const late = another.evaluate(() => statusesOf(2))
      await world.server.seen(4, { path: '/me', status: 401 })
      world.server.release()
      expect(await calls).toEqual([200, 200])
      expect(await late).toEqual([200, 200])
      expect(world.server.stats).toMatchObject({ refreshes: 1, reuses: 0 })
    },
  )
})

describeBrowsers('rest', (bench) => {
  it.each(['indexedDb', 'sharedTabs'] as const)(
    'S3 %s: no token rests in clear text, neither in storage nor in the profile on the disk',
    async (store) => {
      const world = await bench.world()
      const [tab, another] = await bench.tabs(2, world)
      // The control: what is written down as it is, is found.
      const canary = randomBytes(24).toString('base64url')
      await tab.evaluate((text) => {
        localStorage.setItem('canary', text)
        return new Promise((resolve, reject) => {
          const opening = indexedDB.open('canary')
          opening.onupgradeneeded = () => opening.result.createObjectStore('canary')
          opening.onsuccess = () => {
            const transaction = opening.result.transaction('canary', 'readwrite', { durability: 'strict' })
            transaction.objectStore('canary').put({ text }, 'canary')
            transaction.oncomplete = resolve
            transaction.onerror = reject
          }
        })
      }, canary)

      const first = world.server.signIn('viewer')
      await openSessions([tab, another], store)
      await tab.evaluate((tokens) => api.signIn(tokens), first)
      await becomes([another], 'signed-in')
      world.server.expireAccessTokens()
      expect(await another.evaluate(() => statusesOf(1))).toEqual([200])
      const tokens = await another.evaluate(() => api.tokens())
      const secrets = [first.access_token, first.refresh_token, tokens?.accessToken, tokens?.refreshToken]
      expect(new Set(secrets).size).toBe(4)

      const stored = await tab.evaluate(() => dumpStorage())
      expect(stored).toContain(canary)
      for (const secret of secrets) expect(stored).not.toContain(secret)
      expect(await filesWith(bench.browser(), [canary])).not.toEqual([])
      expect(await filesWith(bench.browser(), secrets as string[])).toEqual([])
    },
  )

  it('webStorage: the tokens are in localStorage, as its documentation says, and nowhere else', async () => {
    const world = await bench.world()
    const tab = await bench.tab(world)
    const first = world.server.signIn('viewer')
    await openSessions([tab], 'webStorage')
    await tab.evaluate((tokens) => api.signIn(tokens), first)
    expect(await tab.evaluate(() => JSON.stringify(localStorage))).toContain(first.refresh_token)
    await tab.evaluate(() => localStorage.clear())
    expect(await tab.evaluate(() => dumpStorage())).not.toContain(first.refresh_token)
  })

  it('S3 indexedDb: the key cannot be extracted', async () => {
    const world = await bench.world()
    const tab = await bench.tab(world)
    await signIn([tab], 'indexedDb', world.server)
    const found = await tab.evaluate(async () => {
      const database = await new Promise<IDBDatabase>((resolve) => {
        const opening = indexedDB.open('relatch')
        opening.onsuccess = () => resolve(opening.result)
      })
      const keys: CryptoKey[] = []
      for (const name of database.objectStoreNames) {
        const all = database.transaction(name).objectStore(name).getAll()
        await new Promise((resolve) => {
          all.onsuccess = resolve
        })
        keys.push(...all.result.flatMap(Object.values).filter((value) => value instanceof CryptoKey))
      }
      database.close()
      const outcomes = keys.flatMap((key) =>
        (['raw', 'jwk'] as const).map((format) =>
          crypto.subtle.exportKey(format, key).then(
            () => 'exported',
            (error: Error) => error.name,
          ),
        ),
      )
      return { keys: keys.length, outcomes: await Promise.all(outcomes) }
    })
    expect(found).toEqual({ keys: 1, outcomes: ['InvalidAccessError', 'InvalidAccessError'] })
  })
})
