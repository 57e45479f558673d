// The stores of browsers where there is no browser: what they refuse, and that they wait until they are used (server rendering).
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAuthFetch } from '../../../src/index.ts'
import { indexedDbStore } from '../../../src/stores/indexeddb.ts'
import { sharedTabsStore } from '../../../src/stores/shared-tabs.ts'
import { webStorageStore } from '../../../src/stores/web-storage.ts'
import { runChild } from '../../helpers/child-process.ts'
import { mapStorage } from '../../helpers/map-storage.ts'

const STORES = [
  ['webStorageStore', webStorageStore, 'key'],
  ['indexedDbStore', indexedDbStore, 'name'],
  ['sharedTabsStore', sharedTabsStore, 'channel'],
] as const

function mistakeOf(make: () => unknown): TypeError & { code: string } {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return error as TypeError & { code: string }
  }
  throw new Error('Expected a TypeError')
}

describe.each(STORES)('%s', (name, make, option) => {
  it.each([null, 5, 'relatch', true])('refuses options that are %s', (options) => {
    expect(mistakeOf(() => make(options as never)).code).toBe('ERR_INVALID_OPTION')
  })

  it.each([null, '', 5, {}, [], true, () => 'relatch'])(`refuses ${option}: %s`, (value) => {
    const { code, message } = mistakeOf(() => make({ [option]: value }))
    expect(code).toBe('ERR_INVALID_OPTION')
    expect(message).toContain(`\`${option}\``)
  })

  it('names the nearest option where there is none of that name', () => {
    const { code, message } = mistakeOf(() => make({ [`${option}s`]: 'mine' } as never))
    expect(code).toBe('ERR_UNKNOWN_OPTION')
    expect(message).toContain(`\`${option}\``)
  })

  it('never shows what it was given', () => {
    const { message } = mistakeOf(() => make({ [option]: ['hunter2'] } as never))
    expect(message).not.toContain('hunter2')
  })

  it.each([undefined, {}, { [option]: undefined }, { [option]: 'mine' }])('takes %o', (options) => {
    expect(() => make(options)).not.toThrow()
  })

  it('O4 takes no option from a polluted prototype', () => {
    Object.defineProperty(Object.prototype, option, { value: 5, configurable: true })
    try {
      expect(() => make({})).not.toThrow()
    } finally {
      Reflect.deleteProperty(Object.prototype, option)
    }
  })

  describe('made where every look at the page throws', () => {
    const GLOBALS = ['indexedDB', 'localStorage', 'sessionStorage', 'BroadcastChannel', 'navigator']
    const before = new Map<string, PropertyDescriptor | undefined>()
    beforeEach(() => {
      for (const global of GLOBALS) {
        before.set(global, Object.getOwnPropertyDescriptor(globalThis, global))
        const get = (): never => {
          throw new Error(`Expected nobody to look at ${global}`)
        }
        Object.defineProperty(globalThis, global, { get, configurable: true })
      }
    })
    afterEach(() => {
      for (const [global, descriptor] of before) {
        Reflect.deleteProperty(globalThis, global)
        if (descriptor) Object.defineProperty(globalThis, global, descriptor)
      }
    })

    it('looks at nothing', () => {
      expect(() => make()).not.toThrow()
    })

    it('S2 carries a session in memory once it is used', async () => {
      const api = createAuthFetch({ baseUrl: 'https://api.example', store: make(), fetch: async () => new Response() })
      const failures: unknown[] = []
      api.on('store-failed', (failure) => failures.push(failure))
      await api.signIn({ accessToken: 'access-1' })
      expect(await api.tokens()).toMatchObject({ accessToken: 'access-1' })
      expect(failures).toEqual([{ operation: 'read', reason: 'threw' }])
      api.dispose()
    })
  })

  it('S2 T2 lives on in memory on a server, with one event, and lets the process end', async () => {
    const program = new URL('../../helpers/programs/browser-stores.ts', import.meta.url).href
    const startedAt = performance.now()
    const { exitCode, stdout, stderr } = await runChild(program, [name], 10_000)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({ answer: 'Bearer access-1', failures: 1 })
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })
})

describe('webStorageStore over another storage', () => {
  it.each([null, 5, 'localStorage', {}, [], true, { getItem: 'text' }])('refuses storage: %s', (storage) => {
    const { code, message } = mistakeOf(() => webStorageStore({ storage } as never))
    expect(code).toBe('ERR_INVALID_OPTION')
    expect(message).toContain('`storage`')
  })

  it('keeps sessions of different keys apart', async () => {
    const storage = mapStorage()
    const [one, two] = [webStorageStore({ storage }), webStorageStore({ storage, key: 'relatch:admin' })]
    const session = (label: string) => ({ sessionId: label, version: 1, tokens: { accessToken: label } })
    expect(await one.write(session('one'), null)).toBe(true)
    expect(await two.write(session('two'), null)).toBe(true)
    expect(await one.write(null, 1)).toBe(true)
    expect(await one.read()).toBeNull()
    expect(await two.read()).toEqual(session('two'))
  })

  it('leaves no token behind after a removal', async () => {
    const storage = mapStorage()
    const store = webStorageStore({ storage })
    await store.write({ sessionId: 'session-1', version: 1, tokens: { accessToken: 'access-1' } }, null)
    await store.write(null, 1)
    const left = Array.from({ length: storage.length }, (_, index) => storage.getItem(storage.key(index) ?? ''))
    expect(left.join()).not.toContain('access-1')
  })

  it('S2 shows the first page its session without waiting', () => {
    const storage = mapStorage()
    const before = createAuthFetch({ baseUrl: 'https://api.example', store: webStorageStore({ storage }) })
    return before.signIn({ accessToken: 'access-1' }).then(() => {
      const after = createAuthFetch({ baseUrl: 'https://api.example', store: webStorageStore({ storage }) })
      expect(after.snapshot().status).toBe('signed-in')
    })
  })
})
