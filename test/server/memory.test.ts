// B2: while 200 MB stream through, we keep no more than `replayLimitBytes` of them. Measured in processes of their own.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runChild } from '../helpers/child-process.ts'
import { type RecordingServer, recordingServer } from '../helpers/recording-server.ts'

const UPLOAD = new URL('../helpers/programs/upload-memory.ts', import.meta.url).href
const LIMIT_BYTES = 1_048_576
const SLACK_BYTES = 2_000_000
const SENT_BYTES = 200 * 1_048_576

let server: RecordingServer
beforeAll(async () => {
  server = await recordingServer(async (arrival, response) => {
    await arrival.whole
    response.writeHead(401).end(String(arrival.length))
  }, false)
})
afterAll(() => server[Symbol.asyncDispose]())

interface Outcome {
  status: number
  refreshes: number
  liveBytes: [number, ...number[]]
}

async function upload(sender: string, kind: string): Promise<Outcome> {
  const { exitCode, stdout, stderr } = await runChild(UPLOAD, [sender, kind, server.url], 60_000)
  expect([exitCode, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

describe.each([
  ['a ReadableStream', 'stream'],
  ['a Readable', 'readable'],
  ['a Request with a stream', 'request'],
])('%s of 200 MB', (_, kind) => {
  it('B2 holds, at every mark, at most the limit and 2 MB more than a bare fetch does', async () => {
    const [bare, ours] = await Promise.all([upload('bare', kind), upload('ours', kind)])
    const extra = ours.liveBytes.map((bytes, mark) => bytes - (bare.liveBytes[mark] ?? 0))

    expect(ours).toMatchObject({ status: 401, refreshes: 1 })
    expect(server.arrivals.slice(-2).map(({ length }) => length)).toEqual([SENT_BYTES, SENT_BYTES])
    expect(Math.max(...extra)).toBeLessThanOrEqual(LIMIT_BYTES + SLACK_BYTES)
  }, 60_000)

  it('B2 over a transport that keeps nothing holds at most the limit and 2 MB more than at the start', async () => {
    const { status, refreshes, liveBytes } = await upload('ours-over-reader', kind)

    expect({ status, refreshes }).toEqual({ status: 401, refreshes: 1 })
    expect(Math.max(...liveBytes) - liveBytes[0]).toBeLessThanOrEqual(LIMIT_BYTES + SLACK_BYTES)
  }, 60_000)
})
