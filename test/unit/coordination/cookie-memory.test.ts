// R12: which sessions have ended, for as many of them as fit.
import { expect, it } from 'vitest'
import { CookieMemory } from '../../../src/coordination/cookie-memory.ts'

const session = (sessionId: string) => ({ sessionId, version: 1, tokens: { accessToken: 'access' } })

it('R12 100 000 sign-outs are remembered, whoever else signs in; then the oldest go first', () => {
  const memory = new CookieMemory(3_600_000)
  memory.end('first', false)
  for (let number = 1; number < 100_000; number++) memory.end(`other-${number}`, false)
  for (let number = 1; number <= 20_000; number++) memory.keep(session(`another-${number}`), true)
  expect(memory.newestOf(session('first'))).toBeNull()
  memory.end('last', false)
  expect(memory.newestOf(session('first'))).toEqual(session('first'))
  expect(memory.newestOf(session('other-1'))).toBeNull()
})
