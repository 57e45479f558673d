/**
 * How much of the suite is run. What `npm test` leaves out is more of the same: other engines, and most rounds of a race.
 * `npm test -- --full` takes it all, as CI does; of single files `FULL=1 npx vitest run …`.
 */
export const isFull: boolean = process.env.FULL === '1'

/** How often the same thing is tried. */
export const howOften = (all: number, few: number): number => (isFull ? all : few)
