// O4: options are read by own property, so a polluted Object.prototype changes nothing: not a byte of any request.
import { describe, expect, it } from 'vitest'
import { runChild } from '../helpers/child-process.ts'
import { POLLUTION } from '../helpers/programs/polluted-lives.ts'

interface Lives {
  /** What was sent and answered on a clean prototype, before and after all others. */
  clean: string
  again: string
  /** The members whose pollution made a difference, and what happened then. */
  changed: Array<[string, string]>
}

const { stdout, stderr, exitCode } = await runChild(
  new URL('../helpers/programs/polluted-lives.ts', import.meta.url).href,
)
const lives = JSON.parse(stdout || '{"clean":"[]","changed":[]}') as Lives
const changed = new Map(lives.changed)

describe('a polluted Object.prototype', () => {
  it('O4 is compared with a life that does something: requests, a refresh with a retry, a 403, a 401 for good', () => {
    expect(stderr).toBe('')
    expect(exitCode).toBe(0)
    expect(lives.again).toBe(lives.clean)
    const happened = JSON.parse(lives.clean) as unknown[][]
    expect(happened.filter(([url]) => url === 'https://auth.example/token').length).toBeGreaterThanOrEqual(4)
    expect(happened).toContainEqual(['expired with a body', [200, 'ok']])
    expect(happened).toContainEqual(['denied', [403, 'no']])
    expect(happened).toContainEqual(['rejected for good', [401, 'no']])
    expect(happened).toContainEqual(['nobody', [401, 'no']])
    expect(Object.keys(POLLUTION).length).toBeGreaterThanOrEqual(30)
  })

  it.each(Object.keys(POLLUTION))('O4 `%s` on it changes nothing', (member) => {
    expect(exitCode).toBe(0)
    expect(JSON.parse(changed.get(member) ?? lives.clean)).toEqual(JSON.parse(lives.clean))
  })
})
