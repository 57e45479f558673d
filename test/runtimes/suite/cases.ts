/** All cases, in the order of the promises. */
import { ABORTS } from './aborts.ts'
import { BODIES } from './bodies.ts'
import type { Case } from './case.ts'
import { DENIALS } from './denials.ts'
import { ERRORS } from './errors.ts'
import { ORIGINS } from './origins.ts'
import { RECOVERY } from './recovery.ts'
import { TIME } from './time.ts'

export const CASES: readonly Case[] = [RECOVERY, DENIALS, BODIES, ABORTS, ORIGINS, TIME, ERRORS].flat()
