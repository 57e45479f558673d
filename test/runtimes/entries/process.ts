/** The suite in a process, Node, Bun or Deno: `process.ts <runtime> <places>`. Writes a line of JSON for each case, and ends by itself. */
import type { Runtime } from '../suite/case.ts'
import { count, runCase } from '../suite/run-case.ts'
import type { Places } from '../suite/world.ts'
import { parkForever } from './parked.ts'

const [runtime = '', places = ''] = process.argv.slice(2)
const surroundings = { runtime: runtime as Runtime, places: JSON.parse(places) as Places }
const write = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

for (let index = 0; index < count(); index++) write(await runCase(index, surroundings))
// T2: from here on nothing but relatch's own timers is left, and they may not keep the process.
parkForever(surroundings.places)
write({ end: true })
