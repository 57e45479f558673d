// T2: timers never keep Node alive. Real processes, each of which has to end by itself when its scene is over.
import { describe, expect, it } from 'vitest'
import { runChild } from '../helpers/child-process.ts'

const program = new URL('../helpers/programs/short-lives.ts', import.meta.url).href

describe.concurrent('a process', () => {
  it.each([
    ['lifetimes', 'tokens with every expires_in there is'],
    ['outage', 'an authorization server that is down'],
    ['login', 'a login that nobody finishes'],
    ['broken-store', 'a store that fails'],
    ['hanging-store', 'a store that never answers'],
    ['watched-store', 'a store that is watched'],
  ])(
    'T2 is not kept alive: %s, %s',
    async (scene) => {
      const { exitCode, stdout, stderr } = await runChild(program, [scene])
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
      const [, ms] = /^ended after (\d+) ms\n$/.exec(stdout) ?? []
      expect(Number(ms)).toBeLessThan(1000)
    },
    20_000,
  )
})
