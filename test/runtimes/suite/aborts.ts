/** A: who leaves, and who stays. */
import { deferred } from '../../helpers/deferred.ts'
import type { Case } from './case.ts'
import { codeOf, equal, ok, rejection, statuses } from './check.ts'
import { whileWaiting } from './early.ts'

const AT_ONCE_MS = 300

export const ABORTS: readonly Case[] = [
  whileWaiting(
    {
      id: 'A1',
      title: 'an abort during a refresh rejects its caller at once, with its own reason',
      async run({ world: open }) {
        const world = await open()
        const api = await world.api()
        await world.expire()
        await world.failRefresh('hang')
        const leaving = new AbortController()
        const call = rejection(api('me', { signal: leaving.signal }))
        await world.seen(1, { path: '/token' })
        const own = { mine: true }
        leaving.abort(own)
        ok((await call) === own, 'its own reason')
        equal((await world.stats()).refreshes, 0, 'the refreshes that have been answered')
      },
    },
    'Error: #<Object>',
  ),
  {
    id: 'A1',
    title: 'an already aborted signal sends nothing, and its reason is what the call rejects with',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      const own = new Error('Mine')
      ok((await rejection(api('me', { signal: AbortSignal.abort(own) }))) === own, 'its own reason')
      equal((await world.arrivals()).length, 0, 'what has arrived')
    },
  },
  whileWaiting({
    id: 'A1',
    title: 'an abort while a login is waited for',
    async run({ world: open }) {
      const world = await open()
      let needed: AbortSignal | undefined
      const asked = deferred<void>()
      const api = await world.api({
        onLoginRequired({ signal }) {
          needed = signal
          asked.resolve(undefined)
          return new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null)))
        },
      })
      await world.revoke()
      const leaving = new AbortController()
      const call = rejection(api('me', { signal: leaving.signal }))
      await asked.promise
      leaving.abort()
      equal(((await call) as Error).name, 'AbortError', 'the error')
      equal(needed?.aborted, false, 'whether the login was given up')
    },
  }),
  whileWaiting(
    {
      id: 'A1',
      title: 'AbortSignal.timeout ends a call that waits for a refresh',
      async run({ world: open }) {
        const world = await open()
        const api = await world.api()
        await world.expire()
        await world.failRefresh('hang')
        const startedAt = await world.now()
        equal(
          ((await rejection(api('me', { signal: AbortSignal.timeout(200) }))) as Error).name,
          'TimeoutError',
          'the error',
        )
        ok((await world.now()) - startedAt < 200 + AT_ONCE_MS + 1000, 'an end in time')
      },
    },
    'TimeoutError: The operation was aborted due to timeout',
  ),
  whileWaiting({
    id: 'A1',
    title: 'an abort while the answer streams ends the body, of a second send too',
    async run({ world: open }) {
      const held = { status: 200, bytes: 4096, hold: 'rest' }
      const world = await open({ scripts: { '/held': [held], '/again': [{ status: 401 }, held] } })
      const api = await world.api()
      for (const path of ['held', 'again']) {
        const leaving = new AbortController()
        const reader = (await api(path, { signal: leaving.signal })).body?.getReader()
        equal(String.fromCharCode(...((await reader?.read())?.value ?? []).slice(0, 3)), 'rrr', 'what has begun')
        leaving.abort()
        const rest = async (): Promise<void> => {
          while (!(await reader?.read())?.done);
        }
        equal(((await rejection(rest())) as Error).name, 'AbortError', `the end of ${path}`)
      }
    },
  }),
  whileWaiting({
    id: 'A2',
    title: 'whoever started the refresh leaves: it goes on for the others',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      await world.failRefresh('hang')
      const leaving = new AbortController()
      const first = codeOf(api('me?first', { signal: leaving.signal }))
      await world.seen(1, { path: '/token' })
      const others = statuses([api('me?second'), api('items')])
      leaving.abort()
      await first
      await world.release()
      equal(await others, [200, 200], 'the statuses of the others')
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
    },
  }),
  whileWaiting({
    id: 'A2',
    title: 'everyone has left: what the refresh brings is kept',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      await world.failRefresh('hang')
      const refreshed = deferred<void>()
      api.on('refreshed', () => refreshed.resolve(undefined))
      const leaving = new AbortController()
      const calls = [api('me', { signal: leaving.signal }), api('items', { signal: leaving.signal })].map(codeOf)
      await world.seen(1, { path: '/token' })
      leaving.abort()
      await Promise.all(calls)
      await world.release()
      await refreshed.promise
      equal((await api('me')).status, 200, 'the status of the next one')
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
    },
  }),
  {
    id: 'A2',
    title: 'one AuthFetch at module scope: the one who asked first is gone, the others get their answer',
    async run({ world: open, ask }) {
      const world = await open()
      await ask('signIn', world)
      await world.expire()
      await world.failRefresh('hang')
      const leaving = new AbortController()
      const first = ask('me', world, leaving.signal).catch(() => 'left')
      await world.seen(1, { path: '/token' })
      const second = ask('me', world)
      await world.seen(2, { path: '/me', status: 401 })
      leaving.abort()
      await first
      await world.release()
      equal(await second, '200', 'the answer of the other one')
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
    },
  },
  {
    id: 'A3',
    title: 'two hundred requests on one signal leave no listener of ours behind',
    async run({ world: open }) {
      const world = await open()
      // The platform's own listeners are its own affair: it does not get the signal.
      const api = await world.api({ fetch: (input, init) => fetch(input, { ...init, signal: null }) })
      const { signal } = new AbortController()
      let listeners = 0
      const count =
        (method: 'addEventListener' | 'removeEventListener', by: number) =>
        (...args: Parameters<AbortSignal['addEventListener']>): void => {
          listeners += by
          AbortSignal.prototype[method].apply(signal, args)
        }
      Object.defineProperty(signal, 'addEventListener', { value: count('addEventListener', 1) })
      Object.defineProperty(signal, 'removeEventListener', { value: count('removeEventListener', -1) })
      for (let round = 0; round < 10; round++) {
        await world.expire()
        const calls = Array.from({ length: 20 }, (_, n) => api(`me?n=${n}`, { signal }))
        equal(new Set(await statuses(calls)).size, 1, 'the kinds of answers')
      }
      equal(listeners, 0, 'the listeners that are left')
      equal((await world.stats()).refreshes, 10, 'the refreshes')
    },
  },
]
