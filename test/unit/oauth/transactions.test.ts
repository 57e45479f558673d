// What is remembered of sign-ins under way: each once, not for long, not too many, and whatever the storage does.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Transaction, Transactions } from '../../../src/oauth/transactions.ts'
import { mapStorage } from '../../helpers/map-storage.ts'

const KEY = 'relatch:sign-ins'
const ours = (): boolean => true

function begun(state: string, more: Partial<Transaction> = {}): Transaction {
  const place = { issuer: 'https://id.example', clientId: 'web', redirectUri: 'https://app.example/callback' }
  return { ...place, state, verifier: 'v', nonce: 'n', returnTo: '/', startedAt: Date.now(), ...more }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const broken: Record<string, (storage: Storage) => Partial<Storage>> = {
  'is whole': () => ({}),
  'cannot be read': () => ({
    getItem: () => {
      throw new Error('blocked')
    },
  }),
  'cannot be written': () => ({
    setItem: () => {
      throw new Error('full')
    },
  }),
  'cannot be emptied': () => ({
    removeItem: () => {
      throw new Error('blocked')
    },
  }),
}

describe.each(Object.entries(broken))('with a storage that %s', (_, breakIt) => {
  const made = (): Transactions => {
    const storage = mapStorage()
    return new Transactions(Object.assign(storage, breakIt(storage)))
  }

  it('P12: a sign-in is taken once', () => {
    const transactions = made()
    transactions.add(begun('a'))
    transactions.add(begun('b'))
    expect(transactions.take('a', ours)).toMatchObject({ state: 'a', verifier: 'v' })
    expect(transactions.take('a', ours)).toBeNull()
    expect(transactions.take('b', ours)).not.toBeNull()
    expect(transactions.take('b', ours)).toBeNull()
  })

  it('it can be put back', () => {
    const transactions = made()
    transactions.add(begun('a'))
    const taken = transactions.take('a', ours) as Transaction
    transactions.restore(taken)
    expect(transactions.take('a', ours)).toEqual(taken)
    expect(transactions.take('a', ours)).toBeNull()
  })

  it('it is gone after ten minutes', () => {
    const transactions = made()
    transactions.add(begun('a'))
    vi.setSystemTime(Date.now() + 600_000)
    expect(transactions.take('a', ours)).toBeNull()
  })

  it('the newest eight are kept', () => {
    const transactions = made()
    for (let index = 0; index < 9; index++) transactions.add(begun(`state-${index}`))
    expect(transactions.take('state-0', ours)).toBeNull()
    for (let index = 1; index < 9; index++) expect(transactions.take(`state-${index}`, ours)).not.toBeNull()
  })

  it("somebody else's is left where it is", () => {
    const transactions = made()
    transactions.add(begun('a', { clientId: 'other' }))
    expect(transactions.take('a', ({ clientId }) => clientId === 'web')).toBeNull()
    expect(transactions.take('a', ours)).not.toBeNull()
  })
})

it('nothing is left in the storage once all were taken', () => {
  const storage = mapStorage()
  const transactions = new Transactions(storage)
  transactions.add(begun('a'))
  transactions.take('a', ours)
  expect(storage.length).toBe(0)
})

it('a clock that was set back by less than ten minutes ends nothing', () => {
  const transactions = new Transactions(mapStorage())
  transactions.add(begun('a'))
  vi.setSystemTime(Date.now() - 300_000)
  expect(transactions.take('a', ours)).not.toBeNull()
})

it('one that claims to be from the future is not good for ever', () => {
  const transactions = new Transactions(mapStorage())
  transactions.add(begun('a'))
  vi.setSystemTime(Date.now() - 600_000)
  expect(transactions.take('a', ours)).toBeNull()
})

it('sessionStorage is the default, and is looked up when it is used', () => {
  const transactions = new Transactions(undefined)
  const storage = mapStorage()
  vi.stubGlobal('sessionStorage', storage)
  transactions.add(begun('a'))
  expect(storage.getItem(KEY)).toContain('"a"')
})

describe('copies in localStorage, for where sessionStorage is not what it was', () => {
  /** What a page finds there, member by member, as `Object.keys` of a real one does. */
  const local = (): Record<string, string> => {
    const items: Record<string, string> = {}
    const methods = {
      getItem: (key: string) => items[key] ?? null,
      setItem: (key: string, value: string) => Object.assign(items, { [key]: value }),
      removeItem: (key: string) => delete items[key],
    }
    const traps = { get: (_: object, name: keyof typeof methods) => methods[name] }
    vi.stubGlobal('localStorage', new Proxy(items, traps))
    vi.stubGlobal('location', { href: 'https://app.example/', origin: 'https://app.example' })
    return items
  }
  const session = (): void => void vi.stubGlobal('sessionStorage', mapStorage())

  it('an old sessionStorage costs no sign-in, and each is good once', () => {
    const items = local()
    session()
    const transactions = new Transactions(undefined)
    transactions.add(begun('a'))
    transactions.add(begun('b'))
    session()
    expect(transactions.take('a', () => false)).toBeNull()
    for (const state of ['a', 'b']) expect(transactions.take(state, ours)).toMatchObject({ state, verifier: 'v' })
    for (const state of ['a', 'b']) expect(transactions.take(state, ours)).toBeNull()
    expect(items).toEqual({})
  })

  it('go with the original', () => {
    const items = local()
    session()
    const transactions = new Transactions(undefined)
    transactions.add(begun('a'))
    expect(Object.keys(items)).toEqual(['relatch:sign-in:a'])
    transactions.restore(transactions.take('a', ours) as Transaction)
    expect(transactions.take('a', ours)).not.toBeNull()
    expect(items).toEqual({})
  })

  it('are the newest 64, for ten minutes, and no garbage', () => {
    const items = local()
    session()
    Object.assign(items, {
      'relatch:sign-in:torn': '{',
      'relatch:sign-in:old': JSON.stringify([begun('old')]),
      other: '',
    })
    vi.setSystemTime(Date.now() + 600_000)
    for (let index = 0; index < 65; index++) {
      vi.setSystemTime(Date.now() + 1)
      new Transactions(undefined).add(begun(`${index}`))
    }
    const kept = Array.from({ length: 64 }, (_, index) => `relatch:sign-in:${index + 1}`)
    expect(Object.keys(items).sort()).toEqual(['other', ...kept].sort())
    vi.setSystemTime(Date.now() + 600_000)
    new Transactions(undefined).take('none', ours)
    expect(Object.keys(items)).toEqual(['other'])
  })

  it('there are none of a storage that was given, none in a program, and none where it is blocked', () => {
    const items = local()
    new Transactions(mapStorage()).add(begun('a'))
    session()
    vi.stubGlobal('location', undefined)
    new Transactions(undefined).add(begun('a'))
    expect(items).toEqual({})
    vi.stubGlobal('localStorage', undefined)
    const transactions = new Transactions(undefined)
    transactions.add(begun('a'))
    expect(transactions.take('a', ours)).not.toBeNull()
  })
})

it('where there is none, memory is', () => {
  vi.stubGlobal('sessionStorage', undefined)
  const transactions = new Transactions(undefined)
  transactions.add(begun('a'))
  expect(transactions.take('a', ours)).not.toBeNull()
})

describe('S1: garbage in the storage counts as nothing', () => {
  const { verifier: _, ...torn } = begun('a')
  it.each([
    'no JSON',
    'null',
    '{}',
    '"a"',
    JSON.stringify([null, 1, 'a', []]),
    JSON.stringify([torn]),
    JSON.stringify([begun('a', { verifier: 1 } as never)]),
    JSON.stringify([begun('a', { startedAt: '1' } as never)]),
    JSON.stringify([begun('a', { nonce: 1 } as never)]),
    JSON.stringify([begun('a', { scope: ['orders'] } as never)]),
    JSON.stringify([begun('a', { maxAgeSeconds: 'x' } as never)]),
  ])('%s', (text) => {
    const storage = mapStorage()
    storage.setItem(KEY, text)
    const transactions = new Transactions(storage)
    expect(transactions.take('a', ours)).toBeNull()
    transactions.add(begun('b'))
    expect(transactions.take('b', ours)).not.toBeNull()
  })
})
