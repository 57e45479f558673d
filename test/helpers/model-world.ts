/**
 * A world to play random stories in: an API and an authorization server that rotates and detects reuse, a medium, and clients on
 * it. Everything takes its time, and what must never happen is written down at the moment it does.
 */

import type { AuthFetch, TokenResponse } from '../../src/index.ts'
import { createAuthFetch, type Refresher, type StoredSession, type TokenStore } from '../../src/index.ts'

/** Which clients there are: two on one store object, or one on each of two store objects. */
export type Topology = 'memory' | 'one store object' | 'two store objects with a lock'

export type RefreshFault = 'unavailable' | 'slow' | 'lost' | 'unreadable'
export type StoreFault = 'read throws' | 'write throws' | 'write hangs' | 'write refuses' | 'all hang'

export interface Plan {
  topology: Topology
  /** How long access tokens live, in milliseconds; null: until the server expires them. */
  lifetimeMs: number | null
  /** How long each step of whatever takes time takes, in milliseconds; used in turn, over and over. */
  delaysMs: readonly number[]
}

export interface World {
  readonly apis: readonly [AuthFetch, AuthFetch]
  /** What must never happen, and did. */
  readonly violations: readonly string[]
  /** Everything that happened, for whoever has to read a failure. */
  readonly log: readonly string[]
  /** How many calls have not settled yet. */
  readonly pending: () => number
  /** The access token that rests in the medium; null: none. */
  readonly stored: () => string | null
  /** Whether the API would take it now. */
  isGood(accessToken: string | null): boolean
  request(client: 0 | 1, abortAfterMs: number | null): void
  signIn(client: 0 | 1): void
  signOut(client: 0 | 1): void
  refresh(client: 0 | 1): void
  expire(): void
  revoke(): void
  failRefresh(fault: RefreshFault): void
  failStore(fault: StoreFault | null): void
  /** Everything works from now on. */
  heal(): void
}

interface Session {
  id: number
  /** The store object that it was signed in on. */
  origin: TokenStore
  refreshToken: string
  serial: number
  isRevoked: boolean
  /**
   * Its refresh token may come again and nobody is to blame: an answer was lost on the way, or the one who had it had just
   * signed out, and the other process could not know yet.
   */
  isExcused: boolean
}

const SLOW_MS = 1500
const MANY = 5000

export function createWorld({ topology, lifetimeMs, delaysMs }: Plan): World {
  const log: string[] = []
  const violations: string[] = []
  const note = (text: string): void => void log.push(`${Math.round(performance.now())} ${text}`)
  const violate = (text: string): void => {
    note(`VIOLATION ${text}`)
    violations.push(text)
  }
  let turn = 0
  const delay = (): Promise<void> => wait(delaysMs[turn++ % delaysMs.length] ?? 0)

  // The servers.
  const sessions: Session[] = []
  const accessTokens = new Map<string, { session: Session; expiresAt: number }>()
  const refreshTokens = new Map<string, Session>()
  const inFlight = new Set<string>()
  const refreshFaults: RefreshFault[] = []
  let hasStoreFailed = false

  const issue = (session: Session): TokenResponse => {
    session.serial++
    const accessToken = `at-${session.id}-${session.serial}`
    session.refreshToken = `rt-${session.id}-${session.serial}`
    refreshTokens.set(session.refreshToken, session)
    accessTokens.set(accessToken, { session, expiresAt: Date.now() + (lifetimeMs ?? Number.POSITIVE_INFINITY) })
    return {
      access_token: accessToken,
      refresh_token: session.refreshToken,
      ...(lifetimeMs !== null && { expires_in: lifetimeMs / 1000 }),
    }
  }
  const isGood = (accessToken: string | null): boolean => {
    const known = accessTokens.get(accessToken ?? '')
    return known !== undefined && !known.session.isRevoked && Date.now() < known.expiresAt
  }

  const refresher: Refresher = async ({ tokens, signal }) => {
    const refreshToken = tokens?.refreshToken
    if (refreshToken === undefined) return null
    // Asked when it counts: a store may fail while a refresh is under way, and whoever stood in line for its lock goes on without.
    const isExcused = (): boolean => hasStoreFailed && topology === 'two store objects with a lock'
    if (inFlight.has(refreshToken) && !isExcused()) violate(`${refreshToken} is under way twice`)
    inFlight.add(refreshToken)
    note(`refresh ${refreshToken}`)
    try {
      const fault = refreshFaults.shift()
      await (fault === 'slow' ? wait(SLOW_MS) : delay())
      signal.throwIfAborted()
      if (fault === 'unavailable') throw Object.assign(new Error('unavailable'), { status: 503 })
      const session = refreshTokens.get(refreshToken) as Session
      if (session.refreshToken !== refreshToken) {
        if (!session.isExcused && !isExcused()) violate(`${refreshToken} was spent already`)
        session.isRevoked = true
      }
      if (session.isRevoked)
        throw Object.assign(new Error('refused'), { status: 400, data: { error: 'invalid_grant' } })
      const issued = issue(session)
      note(`issued ${issued.access_token}${fault ? `, ${fault}` : ''}`)
      if (fault === 'lost' || fault === 'unreadable') session.isExcused = true
      await delay()
      if (fault === 'lost') throw new TypeError('fetch failed')
      return fault === 'unreadable' ? ({ access_token: '' } as TokenResponse) : issued
    } finally {
      inFlight.delete(refreshToken)
    }
  }

  // The medium.
  let stored: StoredSession | null = null
  let storeFault: StoreFault | null = null
  let operations = 0
  const listeners = new Set<() => void>()
  let queue: Promise<unknown> = Promise.resolve()
  const perform = <T>(operation: 'read' | 'write', work: () => T): T | Promise<T> => {
    const answer = (): T | Promise<T> => {
      // Whoever goes round in circles without a timer could never be stopped otherwise.
      if (++operations > MANY) {
        if (operations === MANY + 1) violate(`${MANY} operations of the store`)
        return new Promise(() => {})
      }
      if (storeFault === 'all hang' || storeFault === `${operation} hangs`) return new Promise(() => {})
      if (storeFault === `${operation} throws`) throw new Error('broken')
      if (storeFault === `${operation} refuses`) return false as T
      return work()
    }
    return topology === 'memory'
      ? answer()
      : delay()
          .then(answer)
          .then((value) => delay().then(() => value))
  }
  const createStore = (): TokenStore => ({
    read: () => perform('read', () => structuredClone(stored)),
    write: (next, expectedVersion) =>
      perform('write', () => {
        if ((stored?.version ?? null) !== expectedVersion) return false
        note(`stored ${next ? `${next.tokens?.accessToken} v${next.version}` : 'nothing'}`)
        if (next && next.version <= (stored?.version ?? 0)) violate(`version ${next.version} after ${stored?.version}`)
        stored = structuredClone(next)
        for (const listener of [...listeners]) {
          if (topology === 'memory') listener()
          else void delay().then(listener)
        }
        return true
      }),
    watch: (listener) => {
      const own = (): void => listener()
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    ...(topology === 'two store objects with a lock' && {
      lock: <T>(task: () => Promise<T>): Promise<T> => {
        const turn = queue.then(delay).then(task)
        queue = turn.then(delay, delay)
        return turn
      },
    }),
  })

  // The clients.
  const first = createStore()
  const stores = [first, topology === 'two store objects with a lock' ? createStore() : first] as const
  const sentWith = new Map<string, number>()
  const sends = new Map<string, number>()
  /** Of each store object, the sessions that a sign-out has ended for good. */
  const ended = new Map<TokenStore, Set<Session>>(stores.map((store) => [store, new Set()]))
  let pending = 0
  let requests = 0

  const transport =
    (client: 0 | 1): typeof fetch =>
    async (input, init) => {
      const id = new URL(String(input)).search
      const accessToken = new Headers(init?.headers).get('authorization')?.replace('Bearer ', '') ?? null
      note(`send ${id} by ${client} with ${accessToken}`)
      const count = (sends.get(id) ?? 0) + 1
      sends.set(id, count)
      if (count > 3) violate(`${id} was sent ${count} times`)
      const session = accessTokens.get(accessToken ?? '')?.session
      if (accessToken !== null && session === undefined) violate(`${id} carried an unknown token`)
      if (session) {
        const before = sentWith.get(id) ?? session.id
        if (before !== session.id) violate(`${id} was sent with session ${before}, then with ${session.id}`)
        sentWith.set(id, session.id)
        if (ended.get(stores[client])?.has(session)) violate(`${id} carried ${accessToken} after a sign-out`)
      }
      await delay()
      const status = isGood(accessToken) ? 200 : 401
      await delay()
      init?.signal?.throwIfAborted()
      note(`answer ${id} ${status}`)
      return new Response(null, { status })
    }
  /** Whoever leaves a session has no use for its new tokens; the other process has not heard of that yet. */
  const leave = (): void => {
    if (topology === 'two store objects with a lock') for (const session of sessions) session.isExcused = true
  }
  const createClient = (client: 0 | 1): AuthFetch =>
    createAuthFetch({
      baseUrl: 'https://api.test',
      fetch: transport(client),
      store: stores[client],
      refresh: refresher,
      refreshRetries: 1,
    })
  const apis = [createClient(0), createClient(1)] as const
  const track = (work: Promise<unknown>, text: string): void => {
    pending++
    const end = (outcome: unknown): void => {
      pending--
      note(`${text}: ${outcome instanceof Response ? outcome.status : outcome instanceof Error ? outcome : 'done'}`)
    }
    work.then(end, end)
  }

  return {
    apis,
    violations,
    log,
    pending: () => pending,
    stored: () => stored?.tokens?.accessToken ?? null,
    isGood,
    request(client, abortAfterMs) {
      const controller = new AbortController()
      if (abortAfterMs !== null) setTimeout(() => controller.abort(new Error('aborted')), abortAfterMs)
      const id = `?${++requests}`
      track(apis[client](`/path${id}`, { signal: controller.signal }), `request ${id}`)
    },
    signIn(client) {
      leave()
      const session: Session = {
        id: sessions.length + 1,
        origin: stores[client],
        refreshToken: '',
        serial: 0,
        isRevoked: false,
        isExcused: false,
      }
      sessions.push(session)
      const issued = issue(session)
      note(`sign in ${issued.access_token} on ${client}`)
      track(apis[client].signIn(issued), `sign in ${issued.access_token}`)
    },
    signOut(client) {
      const store = stores[client]
      const old = sessions.filter(({ origin }) => origin === store)
      note(`sign out on ${client}`)
      leave()
      track(
        apis[client].signOut().then(() => {
          for (const session of old) ended.get(store)?.add(session)
        }),
        'sign out',
      )
    },
    refresh(client) {
      note(`refresh() on ${client}`)
      track(apis[client].refresh(), 'refresh()')
    },
    expire() {
      note('expire')
      for (const token of accessTokens.values()) token.expiresAt = Math.min(token.expiresAt, Date.now())
    },
    revoke() {
      note('revoke')
      for (const session of sessions) session.isRevoked = true
    },
    failRefresh(fault) {
      note(`the next refresh: ${fault}`)
      refreshFaults.push(fault)
    },
    failStore(fault) {
      note(`the store: ${fault ?? 'works'}`)
      storeFault = fault
      if (fault !== null) hasStoreFailed = true
    },
    heal() {
      note('all works')
      storeFault = null
      refreshFaults.length = 0
    },
  }
}

/** No delay takes no timer at all. */
const wait = (ms: number): Promise<void> =>
  ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms))
