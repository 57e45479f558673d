/** Delays that look random and come out the same for the same seed. */

/** mulberry32: numbers from 0 to 1. */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A network in front of a transport: half of the delay on the way there, half on the way back. */
export function distant(transport: typeof fetch, latencyMs: () => number): typeof fetch {
  return async (input, init) => {
    const oneWayMs = latencyMs() / 2
    await sleep(oneWayMs)
    const response = await transport(input, init)
    await sleep(oneWayMs)
    return response
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
