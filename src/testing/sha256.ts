/**
 * SHA-256 (FIPS 180-4) over a stream. Web Crypto digests whole buffers only, and an echo that kept a 200 MB upload would be
 * of no use for testing that nobody keeps one.
 */

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes, and of the square roots of eight. */
const { K, INITIAL } = constants()

function constants(): { K: Int32Array; INITIAL: Int32Array } {
  const primes: number[] = []
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  const fraction = (root: number): number => ((root % 1) * 2 ** 32) | 0
  return {
    K: Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
    INITIAL: Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime))),
  }
}

export interface Sha256 {
  update(bytes: Uint8Array): void
  /** Lower-case hex. Ends the hash. */
  hex(): string
}

export function sha256(): Sha256 {
  const compress = createCompression()
  const block = new Uint8Array(64)
  const view = new DataView(block.buffer)
  let length = 0

  const update = (bytes: Uint8Array): void => {
    const whole = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    for (let at = 0; at < bytes.length; ) {
      const filled = length % 64
      const size = Math.min(64 - filled, bytes.length - at)
      // A whole block is read where it lies; only the ends of a chunk are copied.
      if (size === 64) compress(whole, at)
      else block.set(bytes.subarray(at, at + size), filled)
      if (size < 64 && filled + size === 64) compress(view, 0)
      at += size
      length += size
    }
  }

  return {
    update,
    hex() {
      const bits = length * 8
      const padding = new Uint8Array(64 - ((length + 8) % 64) + 8)
      padding[0] = 0x80
      const tail = new DataView(padding.buffer)
      tail.setUint32(padding.length - 8, Math.floor(bits / 2 ** 32))
      tail.setUint32(padding.length - 4, bits >>> 0)
      update(padding)
      return Array.from(compress.state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
    },
  }
}

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by))
const at = (words: Int32Array, index: number): number => words[index] as number

/** The compression function of section 6.2.2 and the state it works on. */
function createCompression(): ((block: DataView, offset: number) => void) & { state: Int32Array } {
  const state = INITIAL.slice()
  const w = new Int32Array(64)
  const compress = (block: DataView, offset: number): void => {
    schedule(w, block, offset)
    let a = at(state, 0)
    let b = at(state, 1)
    let c = at(state, 2)
    let d = at(state, 3)
    let e = at(state, 4)
    let f = at(state, 5)
    let g = at(state, 6)
    let h = at(state, 7)
    for (let i = 0; i < 64; i++) {
      const t1 = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + at(K, i) + at(w, i)) | 0
      const t2 = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + t2) | 0
    }
    const words = [a, b, c, d, e, f, g, h]
    for (let i = 0; i < 8; i++) state[i] = at(state, i) + (words[i] as number)
  }
  return Object.assign(compress, { state })
}

function schedule(w: Int32Array, block: DataView, offset: number): void {
  for (let i = 0; i < 16; i++) w[i] = block.getInt32(offset + i * 4)
  for (let i = 16; i < 64; i++) {
    const early = at(w, i - 15)
    const late = at(w, i - 2)
    const s0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3)
    const s1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10)
    w[i] = at(w, i - 16) + s0 + at(w, i - 7) + s1
  }
}
