/** S1, what correctness rests on: what was written is read, and writing is compare-and-set. */
import type { StoredSession, TokenStore } from '../index.ts'
import { expect, expectEqual } from './expectations.ts'
import { type Case, type Medium, session } from './store-case.ts'

const FULL: StoredSession = {
  sessionId: 'session-full',
  version: 7,
  tokens: {
    accessToken: 'access.full-1~+/==',
    refreshToken: 'refresh/full+1',
    expiresAt: 1_900_000_000_123,
    tokenType: 'Bearer',
    scope: 'items:read ütf-8 読む 🔑 "quoted\\"',
    idToken: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.',
    subject: 'пользователь/1',
  },
}
const COOKIE: StoredSession = { sessionId: 'session-cookie', version: 1, tokens: null }
/** What a JWT with many claims comes to. */
const LARGE: StoredSession = { sessionId: 'session-large', version: 1, tokens: { accessToken: 'a'.repeat(16_384) } }

const WRITERS = 50

export const readWriteCases: Case[] = [
  {
    title: 'reading nothing gives null',
    async run({ store }) {
      expectEqual(await store.read(), null, 'read() of an empty medium')
    },
  },
  {
    title: 'what was written is read, with every member, and by others too',
    async run({ store, sibling }) {
      const other = await sibling()
      let expected: number | null = null
      for (const [index, each] of [FULL, COOKIE, LARGE, session(1)].entries()) {
        const next: StoredSession = { ...each, version: index + 1 }
        expectEqual(await store.write(next, expected), true, `write() of ${each.sessionId}`)
        expectEqual(await store.read(), next, 'read() after it')
        expectEqual(await other.read(), next, 'read() of another store on the same medium')
        expected = next.version
      }
    },
  },
  {
    title: 'large versions survive, and so does a jump',
    async run({ store }) {
      let expected: number | null = null
      for (const version of [0, 1, 1_763_856_000_000, 2 ** 50, Number.MAX_SAFE_INTEGER]) {
        expectEqual(await store.write(session(version), expected), true, `write() of version ${version}`)
        expectEqual(await store.read(), session(version), 'read() after it')
        expected = version
      }
    },
  },
  {
    title: 'writes only at the expected version, and says so',
    async run({ store }) {
      await begin(store, session(5))
      for (const expected of [4, 6, 0, -1, null]) {
        expectEqual(await store.write(session(9), expected), false, `write() at version 5 expecting ${expected}`)
        expectEqual(await store.read(), session(5), 'what is stored after a write that was refused')
      }
      expectEqual(await store.write(session(6), 5), true, 'write() at version 5 expecting 5')
      expectEqual(await store.read(), session(6), 'what is stored after a write that was let in')
    },
  },
  {
    title: 'writes into an empty medium only where nothing is expected',
    async run({ store }) {
      for (const expected of [0, 1]) {
        expectEqual(
          await store.write(session(1), expected),
          false,
          `write() into nothing expecting version ${expected}`,
        )
        expectEqual(await store.read(), null, 'read() after it')
      }
      await begin(store, session(1))
    },
  },
  {
    title: 'removes only at the expected version',
    async run({ store }) {
      await begin(store, session(5))
      for (const expected of [4, 6, null]) {
        expectEqual(await store.write(null, expected), false, `removal at version 5 expecting ${expected}`)
        expectEqual(await store.read(), session(5), 'what is stored after a removal that was refused')
      }
      expectEqual(await store.write(null, 5), true, 'removal at version 5 expecting 5')
      expectEqual(await store.read(), null, 'read() after the removal')
    },
  },
  {
    title: 'after a removal nothing is expected',
    async run({ store }) {
      await begin(store, session(5))
      expectEqual(await store.write(null, 5), true, 'removal')
      expectEqual(await store.write(session(6), 5), false, 'write() expecting the version that was removed')
      expectEqual(await store.read(), null, 'read() after it')
      expectEqual(await store.write(session(6), null), true, 'write() expecting nothing')
      expectEqual(await store.read(), session(6), 'read() after it')
    },
  },
  {
    title: 'changing an object that was handed in or out changes nothing that is stored',
    async run({ store }) {
      const given = session(1)
      await begin(store, given)
      deface(given)
      const taken = await store.read()
      expectEqual(taken, session(1), 'what is stored after the object handed in was changed')
      if (taken) deface(taken)
      expectEqual(await store.read(), session(1), 'what is stored after the object handed out was changed')
    },
  },
  {
    title: `of ${WRITERS} writers of a first session one wins`,
    run: (medium) => race(medium, null),
  },
  {
    title: `of ${WRITERS} writers at one version one wins`,
    async run(medium) {
      await begin(medium.store, session(1))
      await race(medium, 1)
    },
  },
  {
    title: 'no write is lost between writers that try again',
    async run({ store, sibling }) {
      const stores = [store, await sibling()]
      await begin(store, session(0))
      const writers = Array.from({ length: 8 }, (_, index) => count(stores[index % 2] as TokenStore, 5))
      await Promise.all(writers)
      expectEqual((await store.read())?.version, 40, 'the version after 8 writers added 5 each')
    },
  },
  {
    title: 'garbage in the medium counts as nothing stored (where the suite can put it there)',
    async run({ store, corrupt }) {
      if (!corrupt) return
      await begin(store, session(5))
      await corrupt()
      expectEqual(await store.read(), null, 'read() of garbage')
      expectEqual(await store.write(session(6), 5), false, 'write() over garbage expecting a version')
      expectEqual(await store.write(session(6), null), true, 'write() over garbage expecting nothing')
      expectEqual(await store.read(), session(6), 'read() after it')
    },
  },
]

async function begin(store: TokenStore, first: StoredSession): Promise<void> {
  expectEqual(await store.write(first, null), true, 'write() into an empty medium expecting nothing')
}

/** Through both stores at once; whoever is told that it wrote has to be the one that is read. */
async function race({ store, sibling }: Medium, expected: number | null): Promise<void> {
  const stores = [store, await sibling()]
  const entrants = Array.from({ length: WRITERS }, (_, index) => session(index + 2, `writer-${index}`))
  const wins = await Promise.all(
    entrants.map((entrant, index) => (stores[index % 2] as TokenStore).write(entrant, expected)),
  )
  const winners = entrants.filter((_, index) => wins[index] === true)
  expectEqual(winners.length, 1, 'the number of writers that were told they won')
  expectEqual(await store.read(), winners[0], 'what is stored after the race')
  expect(
    wins.every((win) => typeof win === 'boolean'),
    'write() to say true or false',
  )
}

/** Each refusal means that somebody else wrote in between, and they do so 40 times in all. */
async function count(store: TokenStore, times: number): Promise<void> {
  let refusals = 0
  for (let done = 0; done < times; ) {
    const version = (await store.read())?.version ?? 0
    if (await store.write(session(version + 1), version)) done++
    else expect(++refusals <= 40, 'write() to refuse only where somebody else wrote in between')
  }
}

function deface(stored: StoredSession): void {
  stored.version = 99
  stored.sessionId = 'defaced'
  if (stored.tokens) stored.tokens.accessToken = 'defaced'
}
