// L2, E1: one instance that meets two users tells so, by whatever way the second one comes, and cries wolf for nobody.
import { describe, expect, it } from 'vitest'
import { type AuthFetchOptions, createAuthFetch, memoryStore, type TokenSet, type TokenStore } from '../../src/index.ts'
import { accepting } from '../helpers/answer.ts'
import { recorder } from '../helpers/recorder.ts'
import { watch } from '../helpers/watch.ts'

const id = expect.stringMatching(/^[0-9a-f]{32}$/)
const by = (subject?: string, accessToken: string = `at-${subject}`): TokenSet => ({
  accessToken,
  refreshToken: 'rt',
  ...(subject !== undefined && { subject }),
})

function client(options: AuthFetchOptions = {}) {
  const { fetch } = recorder(accepting('at-good'))
  const api = createAuthFetch({ baseUrl: 'https://api.example', ...options, fetch })
  return { api, ...watch(api) }
}

/** The sessions that began, in order. */
const sessionsOf = ({ of }: ReturnType<typeof client>): string[] => of('signed-in').map(({ sessionId }) => sessionId)

describe('the second user', () => {
  it('E1 signs in in place of the first: told once all is done, with the ids of both sessions and no subject', async () => {
    const one = client()
    await one.api.signIn(by('ada'))
    await one.api.signIn(by('bob'))
    const [first, second] = sessionsOf(one)
    expect(one.of('subject-changed')).toEqual([{ sessionId: second, previousSessionId: first }])
    expect(one.events.map(([event]) => event)).toEqual(['signed-in', 'signed-in', 'subject-changed'])
    expect(Object.isFrozen(one.of('subject-changed')[0])).toBe(true)
    expect(JSON.stringify(one.events)).not.toMatch(/ada|bob/)
  })

  it('signs in after the first has signed out', async () => {
    const one = client()
    await one.api.signIn(by('ada'))
    await one.api.signOut()
    await one.api.signIn(by('bob'))
    const [first, second] = sessionsOf(one)
    expect(one.of('subject-changed')).toEqual([{ sessionId: second, previousSessionId: first }])
  })

  it('signs in where the first one was stored already', async () => {
    const one = client({ store: memoryStore(by('ada')) })
    await one.api.signIn(by('bob'))
    expect(one.of('subject-changed')).toEqual([{ sessionId: id, previousSessionId: 'initial' }])
  })

  it('comes after somebody who is not known', async () => {
    const one = client()
    for (const tokens of [by('ada'), by(), by('bob')]) await one.api.signIn(tokens)
    const [first, , third] = sessionsOf(one)
    expect(one.of('subject-changed')).toEqual([{ sessionId: third, previousSessionId: first }])
  })

  it('is whom a refresh answers for, and nothing is told while the lock is held', async () => {
    let isLocked = false
    const wasLocked: boolean[] = []
    const store: TokenStore = {
      ...memoryStore(by('ada')),
      async lock(task) {
        isLocked = true
        const outcome = await task()
        isLocked = false
        return outcome
      },
    }
    const one = client({ store, refresh: async () => by('bob', 'at-good') })
    one.api.on('subject-changed', () => wasLocked.push(isLocked))
    await one.api.refresh()
    expect(one.of('subject-changed')).toEqual([{ sessionId: id, previousSessionId: 'initial' }])
    expect(wasLocked).toEqual([false])
  })

  it('is who signed in elsewhere, on the same store: told by everyone who knew the first', async () => {
    const shared = memoryStore()
    // As another process would have it: another object on the same medium.
    const elsewhere = client({ store: { ...shared } })
    const [here, there] = [client({ store: shared }), client({ store: shared })]
    await elsewhere.api.signIn(by('ada'))
    await elsewhere.api.signIn(by('bob'))
    await expect.poll(() => here.of('subject-changed')).toHaveLength(1)
    const [first, second] = sessionsOf(elsewhere)
    const told = { sessionId: second, previousSessionId: first }
    for (const each of [here, there, elsewhere]) expect(each.of('subject-changed')).toEqual([told])
  })

  it('comes by a login that was asked for', async () => {
    const one = client({ onLoginRequired: () => by('bob', 'at-good') })
    await one.api.signIn(by('ada', 'at-old'))
    await one.api('/x')
    expect(one.of('subject-changed')).toHaveLength(1)
  })

  it('may be signed out by whoever hears of it', async () => {
    const one = client()
    one.api.on('subject-changed', () => one.api.signOut())
    await one.api.signIn(by('ada'))
    await one.api.signIn(by('bob'))
    await expect.poll(() => one.of('signed-out')).toHaveLength(1)
    expect(one.api.snapshot()).toEqual({ status: 'signed-out' })
  })

  it('and the third, and the first again', async () => {
    const one = client()
    for (const subject of ['ada', 'bob', 'cy', 'ada']) await one.api.signIn(by(subject))
    const sessions = sessionsOf(one)
    expect(one.of('subject-changed')).toEqual(
      [1, 2, 3].map((n) => ({ sessionId: sessions[n], previousSessionId: sessions[n - 1] })),
    )
  })
})

describe('no second user', () => {
  it.each<[string, (TokenSet | null)[]]>([
    ['the same one again', [by('ada'), by('ada', 'at-2')]],
    ['the same one after a sign-out', [by('ada'), null, by('ada')]],
    ['somebody who is not known', [by('ada'), by()]],
    ['the first one that is known', [by(), by('ada')]],
    ['the same one after somebody who is not known', [by('ada'), by(), null, by('ada')]],
  ])('%s', async (_, story) => {
    const one = client()
    for (const tokens of story) await (tokens ? one.api.signIn(tokens) : one.api.signOut())
    expect(one.of('subject-changed')).toEqual([])
  })

  it.each([
    ['without a subject', by(undefined, 'at-good')],
    ['with the same one', by('ada', 'at-good')],
    ['that holds nothing', true as const],
  ])('a refresh %s', async (_, answer) => {
    const one = client({ store: memoryStore(by('ada')), refresh: async () => answer })
    await one.api.refresh()
    await one.api.refresh()
    expect(one.of('subject-changed')).toEqual([])
  })

  it('newer tokens that somebody else got', async () => {
    const shared = memoryStore(by('ada'))
    const [here, elsewhere] = [
      client({ store: shared }),
      client({ store: { ...shared }, refresh: async () => by(undefined, 'at-good') }),
    ]
    await elsewhere.api.refresh()
    await expect.poll(() => here.of('adopted')).toHaveLength(1)
    expect(here.of('subject-changed')).toEqual([])
  })

  it('a polluted prototype is nobody', async () => {
    const one = client()
    await one.api.signIn(by('ada'))
    Object.assign(Object.prototype, { subject: 'mallory' })
    try {
      await one.api.signIn(by())
    } finally {
      Reflect.deleteProperty(Object.prototype, 'subject')
    }
    expect(one.of('subject-changed')).toEqual([])
  })
})
