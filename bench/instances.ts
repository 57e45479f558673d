/**
 * `npm run bench:instances`: what an AuthFetch for each request costs a server, in µs of processor time: made and dropped, and with
 * the one call that it is made for. The instances of `test/server/request-instances.test.ts`.
 */
import { costOf, floor, instance, instanceOfItsOwn } from '../test/helpers/request-instances.ts'

const ROUNDS = 100
const rows: Record<string, () => unknown> = {
  'one URL and one Headers': floor,
  'made and dropped': () => instance(),
  'made and disposed of': () => instance().dispose(),
  'the same with callbacks of its own': () => instanceOfItsOwn().dispose(),
}

console.log(`node ${process.version}, the best of ${ROUNDS} rounds, µs each\n`)
for (const [name, make] of Object.entries(rows)) console.log(name.padEnd(36), costOf(make, ROUNDS).toFixed(1).padStart(6))
