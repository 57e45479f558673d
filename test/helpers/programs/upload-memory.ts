/**
 * Uploads a long stream and prints how much memory is alive at marks on the way, as JSON: `{ status, liveBytes: number[] }`. In
 * a process of its own, because the memory of a process is measured.
 *
 * argv: who sends ('bare' or 'ours'), what is sent ('stream', 'readable', 'request'), where to, and whether the token is good.
 */
import { Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createAuthFetch, memoryStore } from '../../../src/index.ts'

const [sender, kind, url = '', token = ''] = process.argv.slice(2)
const CHUNK_BYTES = 65_536
const CHUNKS = 3200 // 200 MiB
const MARKS = [1, 40, 800, 1600, 2400, 3199]

setFlagsFromString('--expose-gc')
// Else the engine throws away, now and then, 5 MB of code that has not run lately.
setFlagsFromString('--no-flush-bytecode')
const gc = runInNewContext('gc') as () => void

/** What is left after everything that can go is gone: the heap, and the buffers outside of it. */
async function liveBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 4; turn++) {
    gc()
    // Buffers are given back by another thread, a little after the collection.
    await new Promise((next) => setTimeout(next, 10))
    const { heapUsed, external } = process.memoryUsage()
    least = Math.min(least, heapUsed + external)
  }
  return least
}

const marks: number[] = []
async function* chunks(): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < CHUNKS; index++) {
    if (MARKS.includes(index)) marks.push(await liveBytes())
    // Really written to, so that the memory is really there.
    yield new Uint8Array(CHUNK_BYTES).fill(index)
  }
}

/** @returns the arguments of a fetch */
function upload(): [RequestInfo, RequestInit?] {
  const source = chunks()
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await source.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
  const init = (body: unknown) => ({ method: 'POST', body, duplex: 'half' }) as RequestInit
  if (kind === 'stream') return [url, init(stream)]
  if (kind === 'request') return [new Request(url, init(stream))]
  return [url, init(Readable.from(source, { objectMode: false }))]
}

const api =
  sender === 'bare'
    ? fetch
    : createAuthFetch({
        baseUrl: url,
        store: memoryStore({ accessToken: token }),
        refresh: async () => ({ accessToken: 'fresh' }),
      })
const response = await api(...upload())
marks.push(await liveBytes())
console.log(JSON.stringify({ status: response.status, liveBytes: marks }))
process.exit()
