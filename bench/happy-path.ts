/**
 * `npm run bench`: what relatch adds to a request that needs no recovery. One process, one stubbed transport that answers at
 * once, three ways to call it, taken in turns: bare; the floor of any wrapper (one URL parse, one Headers, one header set);
 * and ours. Absolute figures are this machine's; the ratio to the floor is what travels.
 */
import { createAuthFetch, memoryStore } from 'relatch'

const CALLS = 200_000
const ROUNDS = 15
const URL_OF_CALL = 'https://api.example/orders/1'
const TOKEN = 'mF_9.B5f-4.1JqM'.repeat(3)

const answer = new Response('{}')
const bare: typeof fetch = () => Promise.resolve(answer)
const ours = createAuthFetch({
  baseUrl: 'https://api.example',
  fetch: bare,
  refresh: async () => null,
  store: memoryStore({ accessToken: TOKEN, refreshToken: 'rt-1', expiresAt: Date.now() + 3_600_000 }),
})
const floor: typeof fetch = (input, init) => {
  const url = new URL(input as string)
  const headers = new Headers(init?.headers)
  headers.set('authorization', `Bearer ${TOKEN}`)
  return bare(url.href, { ...init, headers })
}

const inits: Record<string, RequestInit | undefined> = {
  'GET': undefined,
  'GET with headers': { headers: { accept: 'application/json' } },
  'POST a JSON text': { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"item":1}' },
}

async function microseconds(call: typeof fetch, init: RequestInit | undefined): Promise<number> {
  const startedAt = performance.now()
  for (let index = 0; index < CALLS; index++) await call(URL_OF_CALL, init)
  return ((performance.now() - startedAt) * 1000) / CALLS
}
const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

console.log(`node ${process.version}, ${ROUNDS} rounds of ${CALLS} calls, medians in µs a call\n`)
console.log(['', 'bare', 'floor', 'relatch', 'added', 'added / floor’s'].map((cell) => cell.padStart(17)).join(''))
for (const [name, init] of Object.entries(inits)) {
  const samples = { bare: [] as number[], floor: [] as number[], ours: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    samples.bare.push(await microseconds(bare, init))
    samples.floor.push(await microseconds(floor, init))
    samples.ours.push(await microseconds(ours, init))
  }
  const base = median(samples.bare)
  const floorAdds = median(samples.floor) - base
  const oursAdds = median(samples.ours) - base
  const cells = [base, floorAdds + base, oursAdds + base, oursAdds].map((value) => value.toFixed(2))
  console.log([name, ...cells, (oursAdds / floorAdds).toFixed(2)].map((cell) => cell.padStart(17)).join(''))
}
