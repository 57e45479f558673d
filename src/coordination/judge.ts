/**
 * What correctness rests on wherever several tabs or processes share a session: one record, changed by compare-and-swap. Who
 * implements it promises that two swaps which expect the same record have one winner, even where one of the two was stopped
 * in the middle and goes on much later (C2).
 */

/** What a judge keeps: a record under a stamp that no other record ever had. */
export interface Stamped {
  readonly stamp: string
}

export interface Judge<R extends Stamped> {
  /** The record that stands. Garbage counts as none (S1). */
  read(): Promise<R | undefined>
  /** Puts `next` in the place of `expected` (undefined = none), if that still stands. Says whether it did. */
  swap(next: R | undefined, expected: R | undefined): Promise<boolean>
}
