/**
 * `npm run bench:otel`: what `instrumentAuthFetch` adds to a request that needs no recovery, by who receives what it makes: nobody
 * (no SDK is registered), an SDK whose sampler takes nothing, and one that records everything. One process, one stubbed transport
 * that answers at once, taken in turns. CPU time, because a machine that others use too has more of that than of any other.
 */
import { createAuthFetch, memoryStore } from 'relatch'
import { instrumentAuthFetch } from 'relatch/otel'
import { AlwaysOffSampler, NoopSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { MeterProvider } from '@opentelemetry/sdk-metrics'

const CALLS = 10_000
const ROUNDS = 15

const answer = new Response('{}')
const client = () =>
  createAuthFetch({
    baseUrl: 'https://api.example',
    fetch: () => Promise.resolve(answer),
    refresh: async () => null,
    store: memoryStore({ accessToken: 'token', refreshToken: 'rt-1', expiresAt: Date.now() + 3_600_000 }),
  })

async function microseconds(call: typeof fetch): Promise<number> {
  const before = process.cpuUsage()
  for (let index = 0; index < CALLS; index++) await call('https://api.example/orders/1')
  const { user, system } = process.cpuUsage(before)
  return (user + system) / CALLS
}
const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const meterProvider = new MeterProvider()
const clients = {
  'not instrumented': client(),
  'events heard, nothing made of them': client(),
  'no SDK': client(),
  'an SDK, not sampled': client(),
  'an SDK, recording': client(),
}
clients['events heard, nothing made of them'].on('request', () => {})
instrumentAuthFetch(clients['no SDK'])
instrumentAuthFetch(clients['an SDK, not sampled'], {
  tracerProvider: new TracerProvider({ sampler: new AlwaysOffSampler() }),
  meterProvider,
})
instrumentAuthFetch(clients['an SDK, recording'], {
  tracerProvider: new TracerProvider({ spanProcessors: [new NoopSpanProcessor()] }),
  meterProvider,
})

const samples = Object.fromEntries(Object.keys(clients).map((name) => [name, [] as number[]]))
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, call] of Object.entries(clients)) samples[name]?.push(await microseconds(call))
}
console.log(`node ${process.version}, ${ROUNDS} rounds of ${CALLS} calls, medians in µs of CPU a call`)
for (const [name, values] of Object.entries(samples)) console.log(name.padEnd(36), median(values).toFixed(2).padStart(7))
