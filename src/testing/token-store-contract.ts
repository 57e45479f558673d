/** The contract of a token store (S1), as a suite for any test runner, on Node and in browsers. */
import type { TokenStore } from '../index.ts'
import { lockCases } from './lock-contract.ts'
import { readWriteCases } from './read-write-contract.ts'
import type { Case, Medium } from './store-case.ts'
import { watchCases } from './watch-contract.ts'

/** A store with what it takes to try it from more than one side. */
export interface StoreUnderTest {
  store: TokenStore
  /**
   * Another store object on the same medium, as another tab or process would have.
   *
   * @default the same object
   */
  sibling?: () => TokenStore | Promise<TokenStore>
  /**
   * Puts garbage where the session rests.
   *
   * @default there is no such test
   */
  corrupt?: () => void | Promise<void>
  /** Runs after each test, failed ones too. */
  cleanup?: () => void | Promise<void>
}

/** The functions of vitest, node:test, mocha, jest or jasmine. */
export interface TestRunner {
  // biome-ignore lint/complexity/noBannedTypes: every runner types these in its own way, and API.md takes them all.
  describe: Function
  // biome-ignore lint/complexity/noBannedTypes: the same.
  it: Function
}

/**
 * Runs the contract suite of token stores. `watch` and `lock` are tested where the store has them.
 *
 * @param name stands in the title of the suite
 * @param make gives a store on a fresh, empty medium at each call; a bare `TokenStore` will do
 * @param runner where the tests are registered; each takes less than 2 s
 *
 * @example
 * import { describe, it } from 'vitest'
 * describeTokenStore('my store', () => myStore({ key: crypto.randomUUID() }), { describe, it })
 */
export function describeTokenStore(
  name: string,
  make: () => TokenStore | StoreUnderTest | Promise<TokenStore | StoreUnderTest>,
  runner: TestRunner,
): void {
  const register = ({ title, run }: Case): unknown =>
    runner.it(`S1 ${title}`, async () => {
      const made = await make()
      const { cleanup, ...medium } = 'store' in made ? made : { store: made }
      try {
        await run(asMedium(medium))
      } finally {
        await cleanup?.()
      }
    })
  runner.describe(`${name}: the contract of a token store`, () => {
    for (const each of [...readWriteCases, ...watchCases, ...lockCases]) register(each)
  })
}

function asMedium({ store, sibling, corrupt }: Omit<StoreUnderTest, 'cleanup'>): Medium {
  return { store, hasSibling: sibling !== undefined, sibling: async () => (await sibling?.()) ?? store, corrupt }
}
