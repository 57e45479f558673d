/** The tests' side of it: every store gets the same tests, and what they open is gone when they are over, whatever came of it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest'
import { type Family, openFamily } from './children.ts'
import { type Lane, type LaneOptions, openLane } from './lanes.ts'
import { type Ground, KINDS, openGround, type StoreKind } from './places.ts'

export interface Bench {
  readonly kind: StoreKind
  /** A lane with everybody signed in, until the test is over; opened in beforeAll: until all tests are. */
  lane(options: LaneOptions): Promise<Lane>
  /** As many as that, for what takes its time and can be done side by side. */
  lanes(count: number, options: LaneOptions): Promise<Lane[]>
}

export function describeProcesses(title: string, define: (bench: Bench) => void): void {
  describe.each(KINDS)(`${title} (%s)`, (kind) => define(useBench(kind)))
}

/** For tests that mostly wait: one store's run beside the other's, in turns among themselves. They do without `expect.poll`. */
export function describeSideBySide(title: string, define: (bench: Bench) => void): void {
  describe.concurrent.each(KINDS)('%s', (kind) => {
    describe(title, { concurrent: false }, () => define(useBench(kind)))
  })
}

function useBench(kind: StoreKind): Bench {
  const all = new AsyncDisposableStack()
  let scope = all
  let family: Family
  let ground: Ground
  const bench: Bench = {
    kind,
    async lane(options) {
      const lane = scope.use(await openLane(family, ground, options))
      await lane.signIn()
      return lane
    },
    lanes: (count, options) => Promise.all(Array.from({ length: count }, () => bench.lane(options))),
  }
  beforeAll(async () => {
    ground = all.use(await openGround(kind))
    family = all.use(openFamily())
  })
  beforeEach(() => {
    scope = new AsyncDisposableStack()
  })
  afterEach(async () => {
    await scope.disposeAsync()
    scope = all
    expect(family.prints.splice(0)).toEqual([])
  })
  afterAll(() => all.disposeAsync())
  return bench
}
