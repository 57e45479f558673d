// What the processes that share a file write to it.
import type { StoredSession } from '../../src/ports.ts'

/** Long enough that a file is torn where a write is cut in two. */
export const sessionAt = (version: number): StoredSession => ({
  sessionId: 'session-1',
  version,
  tokens: { accessToken: `access-${version}-${'a'.repeat(2000)}`, refreshToken: `refresh-${version}` },
})
