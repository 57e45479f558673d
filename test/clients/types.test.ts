// Every hand-over, compiled without a cast by TypeScript 7 and the last one before it, in each world that has its own `fetch`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeAll, describe, expect, it } from 'vitest'

const here = import.meta.dirname
const root = path.join(here, '../..')
const folder = path.join(here, 'generated/types')

/** What is assignable to fetch, and what fetch is assignable to, whatever fetch is in a world. */
const ASSIGNABLE = `
import { type AuthFetch, createAuthFetch } from 'relatch'
export const plain: typeof fetch = createAuthFetch({ origins: ['https://api.example'] })
export const called: (...args: Parameters<typeof fetch>) => Promise<Response> = plain
export const members = ({ signIn, signOut, tokens }: AuthFetch) => [signIn, signOut, tokens]
`

/** tRPC's type of a fetch refuses Bun's own, where there is no DOM beside it: see PLATFORM. */
const TRPC = ['hand-over/trpc-batch-stream.ts', 'hand-over/trpc-batched.ts']

const PLATFORM = `
import { httpBatchLink } from '@trpc/client'
// @ts-expect-error the fetch of the platform itself
export const link = httpBatchLink({ url: '/trpc', fetch })
`

const PATIENT = { timeout: 180_000 }

const compilers = { 'TypeScript 7': '@typescript/native/bin/tsc', 'TypeScript 6': 'typescript/bin/tsc6' }
const worlds: Record<string, { lib: string[]; types: string[]; refused?: string[] }> = {
  'a browser’s types': { lib: ['ES2023', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'], types: [] },
  'Node’s types alone': { lib: ['ES2023'], types: ['node'] },
  'Bun’s types': { lib: ['ES2023'], types: ['bun-types'], refused: TRPC },
  'a browser’s and Node’s types': { lib: ['ES2023', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'], types: ['node'] },
}

beforeAll(() => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'assignable.ts'), ASSIGNABLE)
  writeFileSync(path.join(folder, 'platform.ts'), PLATFORM)
})

describe('the hand-overs', () => {
  it('hold no cast, and no silenced check', () => {
    const silenced = readdirSync(path.join(here, 'hand-over')).filter((file) =>
      /\bas (?!const\b)[\w{[(]|<any>|: any\b|@ts-/.test(
        readFileSync(path.join(here, 'hand-over', file), 'utf8').replace(/^import .*$|\/\*[\s\S]*?\*\/|\/\/ .*$/gm, ''),
      ),
    )
    expect(silenced).toEqual([])
  })
})

describe.each(Object.entries(compilers))('%s', (compiler, bin) => {
  /** The lines with an error; a compiler that does not come to any says why on stderr. */
  async function compile(name: string, { lib, types }: (typeof worlds)[string], include: string[]): Promise<string[]> {
    const compilerOptions = {
      ...{ module: 'NodeNext', target: 'ES2022', strict: true, noEmit: true, skipLibCheck: true },
      ...{ allowImportingTsExtensions: true, resolveJsonModule: true, jsx: 'react-jsx', lib, types },
      typeRoots: [path.join(root, 'node_modules/@types'), path.join(here, 'node_modules')],
    }
    const config = path.join(folder, `${compiler} ${name}.json`.replaceAll(/[^\w.]+/g, '-'))
    writeFileSync(config, JSON.stringify({ compilerOptions, include }))
    const child = spawn(process.execPath, [path.join(root, 'node_modules', bin), '-p', config], { cwd: here })
    const ended = once(child, 'close')
    const [said, complaint] = await Promise.all([text(child.stdout), text(child.stderr)])
    const errors = said.split('\n').filter((line) => line.includes('error TS'))
    expect([complaint, (await ended)[0] === 0]).toEqual(['', errors.length === 0])
    // What only the tests need, the server for one, has its own types and stays out of a browser.
    return errors.filter((line) => !line.startsWith('suite/'))
  }

  it.each(Object.entries(worlds))('takes an AuthFetch for a fetch with %s', PATIENT, async (name, world) => {
    expect(await compile(`${name} alone`, world, ['assignable.ts'])).toEqual([])
  })

  it.each(Object.entries(worlds))(
    'takes every hand-over with %s, and what clients add',
    PATIENT,
    async (name, world) => {
      const { refused = [] } = world
      const include = ['assignable.ts', '../../hand-over/*', ...(refused.length > 0 ? ['platform.ts'] : [])]
      const errors = await compile(name, world, include)
      expect(errors.filter((line) => !refused.some((file) => line.startsWith(file)))).toEqual([])
      expect(new Set(errors.map((line) => line.replace(/\(.*/, '')))).toEqual(new Set(refused))
    },
  )
})
