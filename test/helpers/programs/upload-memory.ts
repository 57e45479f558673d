/**
 * Uploads 200 MiB and prints how much memory is alive at marks on the way, as JSON: `{ status, refreshes, liveBytes }`. In a
 * process of its own, because it is the memory of a whole process that is measured.
 *
 * argv: who sends ('bare', 'ours', or 'ours-over-reader': ours over a transport that reads the body and keeps nothing), what
 * is sent ('stream', 'readable', 'request'), and where to.
 */
import { Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createAuthFetch, memoryStore } from '../../../src/index.ts'

const [sender, kind, url = ''] = process.argv.slice(2)
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

function streamOf(source: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await source.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
}

/** The arguments of a fetch. */
function upload(): [RequestInfo, RequestInit?] {
  const init = (body: unknown) => ({ method: 'POST', body, duplex: 'half' }) as RequestInit
  if (kind === 'readable') return [url, init(Readable.from(chunks(), { objectMode: false }))]
  const streaming = init(streamOf(chunks()))
  return kind === 'request' ? [new Request(url, streaming)] : [url, streaming]
}

/** Answers as a server would that takes no token, after the last byte. */
const reader: typeof fetch = async (input, init) => {
  const { body } = new Request(input, init)
  for await (const _ of body ?? []);
  return new Response('who are you?', { status: 401 })
}

let refreshes = 0
const api = createAuthFetch({
  baseUrl: url,
  store: memoryStore({ accessToken: 'old' }),
  fetch: sender === 'ours-over-reader' ? reader : undefined,
  refresh: async () => {
    refreshes++
    return { accessToken: 'fresh' }
  },
})
const response = await (sender === 'bare' ? fetch : api)(...upload())
marks.push(await liveBytes())
console.log(JSON.stringify({ status: response.status, refreshes, liveBytes: marks }))
process.exit()
