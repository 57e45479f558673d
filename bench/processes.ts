/**
 * `npm run bench:processes`: what an expiry costs where 1, 2, 4 and 8 processes share a session, in a file and in Redis. Real
 * processes, a real auth server that revokes on reuse. All call at once; then all call at once with a token that has expired.
 * Absolute figures are this machine's, which all processes, the server and Redis have to share; the ratio is what travels.
 */
import { openFamily } from '../test/process/bench/children.ts'
import { openLane } from '../test/process/bench/lanes.ts'
import { KINDS, openGround, type StoreKind } from '../test/process/bench/places.ts'

const PROCESSES = [1, 2, 4, 8]
const ROUNDS = 25
const CALLS = 5

interface Figures {
  refreshes: number
  /** Milliseconds from go to answer, sorted. */
  without: number[]
  during: number[]
}

async function measure(kind: StoreKind, processes: number): Promise<Figures> {
  await using family = openFamily()
  await using ground = await openGround(kind)
  await using lane = await openLane(family, ground, { children: processes })
  const { server, children } = lane
  await lane.signIn()
  const round = async (): Promise<number[]> => {
    const answers = (await Promise.all(children.map((child) => child.ask('call', CALLS)))).flat()
    const bad = answers.filter(({ status }) => status !== 200)
    if (bad.length > 0) throw new Error(`Expected every answer to be 200, got ${bad.map(({ status }) => status)}`)
    return answers.map(({ ms }) => ms)
  }
  // Connections are opened, and code is compiled.
  for (let warmUp = 0; warmUp < 5; warmUp++) await round()
  server.reset()
  const figures: Figures = { refreshes: 0, without: [], during: [] }
  for (let count = 0; count < ROUNDS; count++) {
    figures.without.push(...(await round()))
    server.expireAccessTokens()
    figures.during.push(...(await round()))
  }
  if (server.stats.reuses > 0) throw new Error('Expected no refresh token to be sent twice')
  figures.refreshes = server.stats.refreshAttempts / ROUNDS
  for (const times of [figures.without, figures.during]) times.sort((a, b) => a - b)
  return figures
}

const quantile = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
const line = (cells: string[]): void => console.log(cells.map((cell) => cell.padStart(13)).join(''))

console.log(`node ${process.version}; ${ROUNDS} expiries, ${CALLS} requests a process at once, ms from go to answer\n`)
line(['store', 'processes', 'refreshes', 'p50', 'p99', 'p50 expiry', 'p99 expiry', 'p50 ratio', 'p99 ratio'])
for (const kind of KINDS) {
  for (const processes of PROCESSES) {
    const { refreshes, without, during } = await measure(kind, processes)
    const times = [quantile(without, 0.5), quantile(without, 0.99), quantile(during, 0.5), quantile(during, 0.99)]
    const [p50 = Number.NaN, p99 = Number.NaN, p50Expiry = Number.NaN, p99Expiry = Number.NaN] = times
    const ratios = [p50Expiry / p50, p99Expiry / p99]
    line([kind, `${processes}`, refreshes.toFixed(2), ...[...times, ...ratios].map((value) => value.toFixed(1))])
  }
}
