// A set-up file of vitest: notes in the report how often a test was run again, for the closing summary (scripts/checks.mjs).
import { afterEach } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    retries?: number
  }
}

afterEach(({ task }) => {
  const retries = task.result?.retryCount ?? 0
  if (retries > 0) task.meta.retries = retries
})
