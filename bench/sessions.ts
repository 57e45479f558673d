/**
 * `npm run bench:sessions`: what a live session costs a server that holds one for each user, in bytes of heap beyond its tokens,
 * what its store keeps included. The sessions of `test/server/many-sessions.test.ts`, and more of them.
 */
import { runChild } from '../test/helpers/child-process.ts'
import { startRedis } from '../test/helpers/redis-server.ts'

const USERS = Number(process.argv[2] ?? 100_000)
const program = new URL('../test/helpers/programs/many-sessions.ts', import.meta.url).href

console.log(`node ${process.version}, ${USERS} sessions, bytes each beyond the tokens\n`)
console.log(['', 'live', 'after a refresh', 'left of it', 'timers'].map((cell) => cell.padStart(16)).join(''))
await using redis = await startRedis()
for (const kind of ['redis', 'client', 'memory', 'signed-in']) {
  const { stdout, stderr } = await runChild(program, [kind, String(USERS), kind === 'redis' ? redis.url : ''], 600_000)
  if (stdout === '') throw new Error(stderr)
  const { bytes, whileLive } = JSON.parse(stdout)
  const figures = [bytes.live, bytes.refreshed, bytes.left, whileLive.timers].map((figure) => figure.toFixed(0))
  console.log([kind, ...figures].map((cell) => cell.padStart(16)).join(''))
}
