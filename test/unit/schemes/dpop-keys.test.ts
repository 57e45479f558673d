// Which key stands: one for everybody who shares the place, in memory where the place fails (S2), and gone when forgotten.
import { calculateJwkThumbprint, decodeProtectedHeader, type JWK } from 'jose'
import { describe, expect, it, vi } from 'vitest'
import { type DpopKeys, type DpopScheme, dpop } from '../../../src/schemes/dpop.ts'
import { fakeTime } from '../../helpers/fake-time.ts'
import { rejectionOf } from '../../helpers/rejection.ts'

/** A place that several schemes share, as tabs do. */
function sharedKeys() {
  let standing: CryptoKeyPair | null = null
  const calls: string[] = []
  const keys: DpopKeys = {
    async read() {
      calls.push('read')
      return standing
    },
    async add(pair) {
      calls.push('add')
      standing ??= pair
      return standing
    },
    async remove(pair) {
      calls.push('remove')
      if (pair === undefined || pair === standing) standing = null
    },
  }
  return { keys, calls, standing: () => standing }
}

function promised(): { done: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const done = new Promise<void>((settle) => {
    resolve = settle
  })
  return { done, resolve }
}

const TOKEN = 'https://auth.example/token'

/** The thumbprint of the key that signed a request. */
const printOf = (headers: Headers): Promise<string> =>
  calculateJwkThumbprint(decodeProtectedHeader(headers.get('dpop') as string).jwk as JWK)

/** The thumbprint of the key that signs a send with this token. */
async function signerOf(scheme: DpopScheme, accessToken: string): Promise<string> {
  const headers = new Headers()
  await scheme.attach(headers, { accessToken }, { method: 'GET', url: new URL('https://api.example/') })
  return printOf(headers)
}

/** The same for a token request of a sign-in. */
async function exchangerOf(scheme: DpopScheme): Promise<string> {
  let print = ''
  const transport: typeof fetch = async (_, init) => {
    print = await printOf(init?.headers as Headers)
    return new Response()
  }
  await scheme.fetch(transport)(TOKEN, { method: 'POST' })
  return print
}

describe('one key', () => {
  it("is made when it is first needed, once, and the first writer's stands", async () => {
    const { keys, calls } = sharedKeys()
    const [here, there] = [dpop({ keys }), dpop({ keys })]
    expect(calls).toEqual([])
    const prints = await Promise.all([
      signerOf(here, 'a'),
      signerOf(here, 'a'),
      signerOf(there, 'a'),
      there.thumbprint(),
    ])
    expect(new Set(prints).size).toBe(1)
    expect(calls.filter((call) => call === 'add')).toHaveLength(2)
  })

  it('is kept in mind, and read again with another access token only', async () => {
    const { keys, calls } = sharedKeys()
    const scheme = dpop({ keys })
    for (let send = 0; send < 5; send++) await signerOf(scheme, 'a')
    expect(calls).toEqual(['read', 'add'])
    await signerOf(scheme, 'b')
    expect(calls).toEqual(['read', 'add', 'read'])
  })

  it('follows another tab that signed out, forgot it and signed in anew', async () => {
    const { keys } = sharedKeys()
    const [here, there] = [dpop({ keys }), dpop({ keys })]
    const before = await signerOf(here, 'a')
    expect(await signerOf(there, 'a')).toBe(before)
    await there.forget()
    const after = await signerOf(there, 'b')
    expect(after).not.toBe(before)
    expect(await signerOf(here, 'a')).toBe(before)
    expect(await signerOf(here, 'b')).toBe(after)
  })

  it('follows it in a refresh too, whose token may be bound to the new key', async () => {
    const { keys } = sharedKeys()
    const [here, there] = [dpop({ keys }), dpop({ keys })]
    await signerOf(here, 'a')
    await there.forget()
    const after = await signerOf(there, 'b')
    const transport: typeof fetch = async () => new Response()
    await here.refresherFetch(transport, { tokens: { accessToken: 'b' }, isOurs: () => false })(
      'https://auth.example/token',
    )
    expect(await here.thumbprint()).toBe(after)
  })

  it('of a sign-in is read anew: another tab may have put another in its place', async () => {
    const { keys } = sharedKeys()
    const [here, there] = [dpop({ keys }), dpop({ keys })]
    const before = await signerOf(here, 'a')
    await there.forget()
    const after = await signerOf(there, 'b')
    expect(after).not.toBe(before)
    expect(await here.thumbprint()).toBe(after)
    expect(await exchangerOf(here)).toBe(after)
  })

  it('of a token request is read anew too', async () => {
    const { keys } = sharedKeys()
    const [here, there] = [dpop({ keys }), dpop({ keys })]
    await signerOf(here, 'a')
    await there.forget()
    expect(await exchangerOf(here)).toBe(await there.thumbprint())
  })

  it('is one for a whole sign-in, whatever is removed meanwhile', async () => {
    const { keys } = sharedKeys()
    const [here, there] = [dpop({ keys }), dpop({ keys })]
    await signerOf(there, 'a')
    const print = await here.thumbprint()
    await there.forget()
    expect(await exchangerOf(here)).toBe(print)
    expect(await signerOf(here, 'b')).toBe(print)
  })

  it('is put back where it was cleared under our feet: the session is bound to it', async () => {
    const { keys, standing } = sharedKeys()
    const scheme = dpop({ keys })
    const before = await signerOf(scheme, 'a')
    await keys.remove()
    expect(await signerOf(scheme, 'b')).toBe(before)
    expect(standing()).not.toBeNull()
  })

  it('forget() removes it and the nonces; the next use makes another', async () => {
    const { keys, standing } = sharedKeys()
    const scheme = dpop({ keys })
    const before = await signerOf(scheme, 'a')
    await scheme.forget()
    expect(standing()).toBeNull()
    expect(await signerOf(scheme, 'a')).not.toBe(before)
  })

  it('forget() leaves a key that was made after it was called', async () => {
    const { keys, standing } = sharedKeys()
    const called = promised()
    const held = promised()
    const remove: DpopKeys['remove'] = async (pair) => {
      called.resolve()
      await held.done
      await keys.remove(pair)
    }
    const [here, there] = [dpop({ keys: { ...keys, remove } }), dpop({ keys })]
    await signerOf(here, 'a')
    const forgetting = here.forget()
    await called.done
    await there.forget()
    const made = await signerOf(there, 'b')
    held.resolve()
    await forgetting
    expect(standing()).not.toBeNull()
    expect(await signerOf(here, 'b')).toBe(made)
  })

  it('forget() removes what stands where it is called, in a tab that never used it too', async () => {
    const { keys, standing } = sharedKeys()
    await signerOf(dpop({ keys }), 'a')
    await dpop({ keys }).forget()
    expect(standing()).toBeNull()
  })

  it('a use while it is being forgotten gets the new one', async () => {
    const { keys } = sharedKeys()
    const scheme = dpop({ keys })
    const before = await signerOf(scheme, 'a')
    const [, during] = await Promise.all([scheme.forget(), signerOf(scheme, 'a')])
    expect(during).not.toBe(before)
    expect(await scheme.thumbprint()).toBe(during)
  })

  it('in memory each scheme has its own', async () => {
    expect(await dpop().thumbprint()).not.toBe(await dpop().thumbprint())
  })
})

/** How long it takes by the faked clock; WebCrypto works beside it. */
async function durationOf(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  let isSettled = false
  const settle = (): void => {
    isSettled = true
  }
  work.then(settle, settle)
  for (;;) {
    for (let turn = 0; turn < 20; turn++) await new Promise((done) => setImmediate(done))
    if (isSettled) return performance.now() - startedAt
    vi.advanceTimersToNextTimer()
  }
}

describe('S2: a place that fails costs no session', () => {
  fakeTime()
  const never = (): Promise<never> => new Promise(() => {})
  const failing = (): never => {
    throw new Error('no')
  }
  const rejecting = async (): Promise<never> => failing()

  it.each<[string, Partial<DpopKeys>]>([
    ['read() throws', { read: failing }],
    ['read() rejects', { read: rejecting }],
    ['read() hangs', { read: never }],
    ['read() talks nonsense', { read: () => ({ privateKey: 1 }) as never }],
    ['add() throws', { add: failing }],
    ['add() hangs', { add: never }],
    ['add() talks nonsense', { add: () => undefined as never }],
    ['everything hangs', { read: never, add: never, remove: never }],
  ])('%s', async (_, broken) => {
    const scheme = dpop({ keys: { ...sharedKeys().keys, ...broken } })
    // A sign-in asks for the key before there is a token.
    const first = scheme.thumbprint()
    expect(await durationOf(first)).toBeLessThanOrEqual(2000)
    const second = signerOf(scheme, 'b')
    expect(await durationOf(second)).toBeLessThanOrEqual(2000)
    expect(await second).toBe(await first)
  })

  it('a place that fails later keeps the key that was known, and is looked into again', async () => {
    const { keys } = sharedKeys()
    const read = vi.fn(keys.read)
    const scheme = dpop({ keys: { ...keys, read } })
    const signer = await signerOf(scheme, 'a')
    read.mockImplementation(failing)
    expect(await signerOf(scheme, 'b')).toBe(signer)
    await scheme.forget()
    const other = await dpop({ keys }).thumbprint()
    read.mockImplementation(keys.read)
    expect(await signerOf(scheme, 'b')).toBe(other)
    expect(other).not.toBe(signer)
  })

  it.each<[string, () => never | Promise<never>]>([
    ['hangs', never],
    ['throws', failing],
  ])('R7 tokens whose key is in a place that %s for now are not signed with another one', async (_, broken) => {
    const { keys } = sharedKeys()
    const signer = await signerOf(dpop({ keys }), 'a')
    const read = vi.fn<DpopKeys['read']>(broken)
    const scheme = dpop({ keys: { ...keys, read } })
    const early = rejectionOf(signerOf(scheme, 'a'))
    expect(await durationOf(early)).toBeLessThanOrEqual(1000)
    expect(await early).toMatchObject({ code: 'store-failed', retryable: true })
    read.mockImplementation(keys.read)
    expect(await signerOf(scheme, 'a')).toBe(signer)
  })

  it('a place that is shut for good gives way to memory', async () => {
    const { keys } = sharedKeys()
    const scheme = dpop({ keys: { ...keys, read: failing } })
    for (let time = 0; time < 2; time++) await rejectionOf(signerOf(scheme, 'a'))
    expect(await signerOf(scheme, 'a')).toBe(await signerOf(scheme, 'b'))
  })

  it('forget() ends in time, and gives the place another chance', async () => {
    const { keys } = sharedKeys()
    await signerOf(dpop({ keys }), 'earlier')
    const remove = vi.fn<DpopKeys['remove']>(never)
    const read = vi.fn<DpopKeys['read']>(never)
    const scheme = dpop({ keys: { ...keys, read, remove } })
    const first = scheme.thumbprint()
    await durationOf(first)
    read.mockImplementation(keys.read)
    expect(await durationOf(scheme.forget())).toBeLessThanOrEqual(1000)
    expect(await signerOf(scheme, 'a')).not.toBe(await first)
    // At first, by forget(), and anew.
    expect(read).toHaveBeenCalledTimes(3)
    expect(remove).toHaveBeenCalledOnce()
  })

  it('forget() forgets the key in memory too', async () => {
    const scheme = dpop({ keys: { read: failing, add: failing, remove: failing } })
    const before = await scheme.thumbprint()
    await scheme.forget()
    expect(await scheme.thumbprint()).not.toBe(before)
  })
})
