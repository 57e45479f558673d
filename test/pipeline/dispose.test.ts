// C5, T2, A3, S2: what dispose() ends, what goes on after it, and that nothing is left of a client that is dropped.
import { execFile } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createAuthServer } from '../../src/testing/index.ts'
import { runChild } from '../helpers/child-process.ts'
import { flush, pass, settled, startFakeTime } from '../helpers/fake-time.ts'
import { createMedium } from '../helpers/medium.ts'
import { clientOf, statusesOf, statusOf } from '../helpers/server-client.ts'

const leaving = new URL('../helpers/programs/leaving.ts', import.meta.url).href
const manyInstances = new URL('../helpers/programs/many-instances.ts', import.meta.url).href

describe('dispose()', () => {
  beforeEach(startFakeTime)
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it('C5 ends the watch of the store, once', () => {
    const medium = createMedium()
    const api = clientOf(createAuthServer(), { store: medium.store({ hasWatch: true }) })
    expect(medium.watchers).toBe(1)
    api.dispose()
    expect(medium.watchers).toBe(0)
    expect(() => api.dispose()).not.toThrow()
  })

  it('C5 is what `using` calls', () => {
    const medium = createMedium()
    {
      using _api = clientOf(createAuthServer(), { store: medium.store({ hasWatch: true }) })
      expect(medium.watchers).toBe(1)
    }
    expect(medium.watchers).toBe(0)
  })

  it('C5 ends every listener, and those who stop listening afterwards may do so', async () => {
    const server = createAuthServer()
    const api = clientOf(server)
    const heard: unknown[] = []
    const ends = [api.on('signed-in', (event) => heard.push(event)), api.subscribe(() => heard.push('changed'))]
    api.dispose()
    await api.signIn(server.signIn('viewer'))
    expect(heard).toEqual([])
    for (const end of ends) expect(end).not.toThrow()
  })

  it('C5 leaves requests working, refreshes and sign-outs too', async () => {
    const server = createAuthServer()
    const api = clientOf(server)
    await api.signIn(server.signIn('viewer'))
    api.dispose()
    server.expireAccessTokens()
    expect(await settled(statusesOf(5, () => api('/me')))).toEqual([200, 200, 200, 200, 200])
    await api.signOut()
    expect(await settled(statusOf(api('/me')))).toBe(401)
    await api.signIn(server.signIn('admin'))
    expect(await settled(statusOf(api('/admin')))).toBe(200)
    expect(api.snapshot().status).toBe('signed-in')
  })

  it('T3 C5 takes its listeners off the page, all of them', () => {
    const page = new EventTarget()
    const view = new EventTarget()
    const listening = { page: 0, view: 0 }
    for (const [name, target] of Object.entries({ page, view }) as Array<['page' | 'view', EventTarget]>) {
      const { addEventListener, removeEventListener } = target
      target.addEventListener = (...args: Parameters<EventTarget['addEventListener']>) => {
        listening[name]++
        addEventListener.apply(target, args)
      }
      target.removeEventListener = (...args: Parameters<EventTarget['removeEventListener']>) => {
        listening[name]--
        removeEventListener.apply(target, args)
      }
    }
    vi.stubGlobal('document', Object.assign(page, { baseURI: 'https://app.test/', visibilityState: 'visible' }))
    vi.stubGlobal('addEventListener', view.addEventListener)
    vi.stubGlobal('removeEventListener', view.removeEventListener)
    const api = clientOf(createAuthServer())
    expect(listening).toEqual({ page: 1, view: 1 })
    api.dispose()
    expect(listening).toEqual({ page: 0, view: 0 })
  })

  it('C5 T3 a watch that cannot be ended does not keep the page’s listeners', () => {
    const removed: string[] = []
    vi.stubGlobal('document', {
      baseURI: 'https://app.test/',
      addEventListener: () => {},
      removeEventListener: (type: string) => removed.push(type),
    })
    vi.stubGlobal('addEventListener', () => {})
    vi.stubGlobal('removeEventListener', (type: string) => removed.push(type))
    const medium = createMedium()
    medium.faults.watch = () => () => {
      throw new Error('broken')
    }
    const api = clientOf(createAuthServer(), { store: medium.store({ hasWatch: true }) })
    expect(() => api.dispose()).not.toThrow()
    expect(removed.sort()).toEqual(['online', 'visibilitychange'])
  })

  it('T2 S2 ends the attempts at a store that fails', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    medium.faults = { write: () => Promise.reject(new Error('broken')) }
    const api = clientOf(server, { store: medium.store() })
    await api.signIn(server.signIn('viewer'))
    await pass(10_000)
    expect(vi.getTimerCount()).toBeGreaterThan(0)
    api.dispose()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('T2 S2 starts no more of them for what is done afterwards', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    medium.faults = { write: () => Promise.reject(new Error('broken')) }
    const api = clientOf(server, { store: medium.store({ hasWatch: true }) })
    api.dispose()
    await settled(api.signIn(server.signIn('viewer')))
    server.expireAccessTokens()
    expect(await settled(statusOf(api('/me')))).toBe(200)
    await pass(2000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('T2 leaves no timer of a login, a refresh or a pause', async () => {
    const server = createAuthServer()
    const api = clientOf(server, { onLoginRequired: () => new Promise(() => {}), refreshRetries: 0 })
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    server.failRefresh(503, 2)
    await settled(statusesOf(1, () => api('/me')))
    await settled(statusesOf(1, () => api('/me')))
    server.revokeSession()
    await pass(10_000)
    const parked = statusOf(api('/me'))
    await flush()
    api.dispose()
    expect(await settled(parked)).toBe(401)
    await pass(5000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('C5 A2 in the middle of a refresh: whoever waits gets the answer', async () => {
    const server = createAuthServer()
    const api = clientOf(server)
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    server.failRefresh('hang')
    const calls = statusesOf(3, () => api('/me'))
    await server.seen(1, { kind: 'refresh' })
    api.dispose()
    server.release()
    expect(await settled(calls)).toEqual([200, 200, 200])
  })

  it('A3 calls leave no listener on the signal they were given', async () => {
    const server = createAuthServer()
    const api = clientOf(server)
    const { signal } = new AbortController()
    await api.signIn(server.signIn('viewer'))
    for (let round = 0; round < 20; round++) {
      server.expireAccessTokens()
      await settled(statusesOf(10, () => api('/me', { signal })))
      await settled(api.tokens({ signal }))
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

describe.concurrent('a Node process', () => {
  it.each(['signed-in', 'failing-store', 'waiting-for-a-login', 'failing-refresh', 'disposed'])(
    'T2 exits by itself: %s',
    async (state) => {
      // Killed after that, whatever timer it is that holds it; 60 s and 5 min are the ones that could.
      const outcome = await runChild(leaving, [state], 20_000)
      expect(outcome).toEqual({ exitCode: 0, stdout: 'done', stderr: '' })
    },
    30_000,
  )
})

describe.concurrent('instances that are made and dropped', () => {
  it.each([
    ['untouched', 10_000],
    ['used', 10_000],
    ['watched', 3000],
    ['on-one-store', 3000],
  ])(
    'A3 C5 leave nothing behind: %s, %i of them',
    async (kind, count) => {
      const { stdout, stderr } = await runChild(manyInstances, [kind, String(count)], 60_000)
      expect(stderr).toBe('')
      const { grownBytes, gone, half, watchers } = JSON.parse(stdout)
      // One that stayed would hold some kilobytes; what the engine compiles meanwhile is not ours.
      expect(grownBytes / half).toBeLessThan(500)
      if (kind !== 'on-one-store') expect(gone).toBeGreaterThan(half * 0.99)
      expect(watchers).toBe(0)
    },
    60_000,
  )

  it('R5 do not make the process slower, on Node 22 either', async () => {
    // What Node 22 does by default: every AsyncLocalStorage that was ever entered costs every promise.
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--no-async-context-frame', fileURLToPath(manyInstances), 'used', '1000'],
      { timeout: 60_000 },
    )
    const { firstMs, secondMs } = JSON.parse(stdout)
    expect(secondMs / firstMs).toBeLessThan(2)
  }, 60_000)
})
