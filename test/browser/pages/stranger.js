// Another script of the origin, which knows the channels and means no good. Its types are in ../bench/page-globals.ts.

let messages = []
let channel

/** Listens from now on. */
globalThis.overhear = (name) => {
  channel?.close()
  messages = []
  channel = new BroadcastChannel(name)
  channel.onmessage = ({ data }) => messages.push(data)
}

/** What was said, as texts. */
globalThis.overheard = () => messages.map((message) => JSON.stringify(message))

const id = () => crypto.randomUUID().replaceAll('-', '')
const session = (more) => ({ sessionId: id(), version: 2 ** 53 - 1, tokens: { accessToken: 'forged' }, ...more })
const deep = (levels) => (levels === 0 ? {} : { want: deep(levels - 1) })
/** Of every shape there is: what looks right, what nearly does, and what nobody expects. */
const SHAPES = [
  id,
  () => 'nothing',
  () => 'late',
  () => '',
  () => 'x'.repeat(10_000),
  () => null,
  () => undefined,
  () => true,
  () => Number.NaN,
  () => 10n ** 30n,
  () => [id(), id()],
  () => new Date(),
  () => new Map([['stamp', id()]]),
  () => new Set([id()]),
  () => new ArrayBuffer(8),
  () => new Error('forged'),
  () => new Blob(['forged']),
  () => deep(50),
  () => JSON.parse(`{"__proto__":{"stamp":"${id()}"},"constructor":{"prototype":{}}}`),
  () => ({ want: id() }),
  () => ({ want: 1, stamp: [], session: 'x' }),
  () => ({ stamp: id() }),
  () => ({ stamp: id(), session: session() }),
  () => ({ stamp: id(), session: session({ version: -1 }) }),
  () => ({ stamp: id(), session: session({ tokens: null }) }),
  () => ({ stamp: id(), session: session({ tokens: { accessToken: 'two words' } }) }),
  () => ({ stamp: { toString: null }, session: session() }),
]

/** Says so many things in a second or so, and then 'end'. Resolves with how many milliseconds it took. */
globalThis.forge = async (name, count) => {
  const mouth = new BroadcastChannel(name)
  const start = performance.now()
  for (let said = 0; said < count; ) {
    for (let batch = 0; batch < count / 10; batch++) mouth.postMessage(SHAPES[said++ % SHAPES.length]())
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  mouth.postMessage({ end: true })
  mouth.close()
  return performance.now() - start
}

/** Says that there is something newer under the stamp that it has heard last, and tells everybody to look. */
globalThis.forgeNewer = () => {
  const told = messages.findLast(({ session }) => session !== undefined)
  const version = told.session.version + 1
  channel.postMessage({ ...told, session: { ...told.session, version, tokens: { accessToken: 'forged' } } })
  channel.postMessage(id())
}
