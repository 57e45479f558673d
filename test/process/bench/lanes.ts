/** Lanes: an auth server, a place, and a few children that share one session there. Lanes know nothing of each other. */
import type { TokenStore } from '../../../src/index.ts'
import { type AuthServer, type AuthServerOptions, createAuthServer } from '../../../src/testing/index.ts'
import type { Child, Family } from './children.ts'
import { type Ground, openStore, REDIS_CLIENTS } from './places.ts'
import type { ChildOptions, Stage } from './protocol.ts'

export interface LaneOptions extends Omit<ChildOptions, 'place' | 'client' | 'baseUrl'> {
  children: number
  server?: AuthServerOptions
}

export interface Lane extends AsyncDisposable {
  /** Rotates, and revokes the session of a refresh token that comes twice. */
  readonly server: AuthServer
  /** The children that live. */
  readonly children: readonly Child[]
  /** The place as the parent sees it. */
  readonly store: TokenStore
  /** One child more. */
  start(more?: Partial<ChildOptions>): Promise<Child>
  /** Signs in, through the first child or another; resolves when every child knows. */
  signIn(through?: Child): Promise<void>
  /** Ends a child by force, at once; resolves when it is gone. */
  kill(child: Child): Promise<void>
  /** All children wait there from now on; those that wait elsewhere go on. */
  pauseAt(...stages: Stage[]): Promise<void>
  /** Resolves once the server has dealt with all that has been sent to it so far. */
  settled(): Promise<void>
  /** What the server has seen and the children have told, to be read where a test fails. */
  story(): string
  /** Forgets what the server has seen and the children have told. */
  forget(): void
}

export async function openLane(
  family: Family,
  ground: Ground,
  { children: count, server: serverOptions, ...options }: LaneOptions,
): Promise<Lane> {
  await using open = new AsyncDisposableStack()
  const server = open.use(createAuthServer({ logLimit: 1000, ...serverOptions }))
  const { url: baseUrl } = await server.listen()
  const place = ground.place()
  const { store } = open.use(await openStore(place))
  const children: Child[] = []
  let started = 0
  const lane: Lane = {
    server,
    children,
    store,
    async start(more) {
      // Both kinds of clients in every lane.
      const client = REDIS_CLIENTS[started++ % REDIS_CLIENTS.length] as (typeof REDIS_CLIENTS)[number]
      const child = await family.start({ ...options, place, client, baseUrl, ...more })
      children.push(child)
      return child
    },
    async signIn(through = children[0] as Child) {
      lane.forget()
      await through.ask('signIn', server.signIn('viewer'))
      await Promise.all(children.map((child) => child.hears('signed-in')))
    },
    async kill(child) {
      children.splice(children.indexOf(child), 1)
      await child.kill()
    },
    async pauseAt(...stages) {
      await Promise.all(children.map((child) => child.ask('pauseAt', ...stages)))
    },
    async settled() {
      // It reads its connections in turns: what was there before this request is under way when this one is answered.
      await (await fetch(`${baseUrl}/public`)).arrayBuffer()
      while (server.requests.some(({ status }) => status === null)) {
        await new Promise<void>((resolve) => {
          const end = server.onRequest(() => {
            end()
            resolve()
          })
        })
      }
    },
    story() {
      const seen = server.requests
        .filter(({ kind }) => kind === 'refresh')
        .map(({ at, status, credential }) => ({ at, text: `server: refresh, ${credential}, ${status}` }))
      const told = children.flatMap(({ pid, heard }) =>
        heard.map(({ at, event, ...payload }) => ({ at, text: `${pid}: ${event} ${JSON.stringify(payload)}` })),
      )
      return [...seen, ...told]
        .sort((a, b) => a.at - b.at)
        .map(({ at, text }) => `${at} ${text}`)
        .join('\n')
    },
    forget() {
      server.reset()
      for (const child of children) child.forget()
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(children.splice(0).map((child) => child.kill()))
      await all.disposeAsync()
    },
  }
  await Promise.all(Array.from({ length: count }, () => lane.start()))
  const all = open.move()
  return lane
}

/** The first of them that waits at that stage, where all have been told to. */
export const firstAt = (stage: Stage, children: readonly Child[]): Promise<Child> =>
  Promise.race(children.map((child) => child.reaches(stage).then(() => child)))

/** So many rounds, shared out among the lanes, side by side. After one that fails no other is begun. */
export async function inLanes<T>(
  lanes: readonly Lane[],
  rounds: number,
  run: (lane: Lane, round: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = []
  let begun = 0
  const work = async (lane: Lane): Promise<void> => {
    while (begun < rounds) results.push(await run(lane, begun++))
  }
  const stop = (error: unknown): never => {
    begun = rounds
    throw error
  }
  const ends = await Promise.allSettled(lanes.map((lane) => work(lane).catch(stop)))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return results
}
