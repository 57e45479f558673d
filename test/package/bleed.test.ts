// What an application gets that imports one name: nothing that belongs to another part of the house.
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { type OutputChunk, rollup } from 'rollup'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const strangers = ['dpop+jwt', 'indexedDB', 'node:fs', 'node:http', 'BroadcastChannel']

describe("import { createAuthFetch } from 'relatch'", async () => {
  const bundle = await bundleOf(`export { createAuthFetch } from './dist/index.js'`)

  for (const stranger of strangers) {
    it(`does not contain ${stranger}`, () => expect(withoutComments(bundle.code)).not.toContain(stranger))
  }

  it('does not import anything, and holds p-retry but neither ky nor react', () => {
    const packages = bundle.moduleIds.map((id) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1])
    expect([...new Set(packages)].sort()).toEqual(['is-network-error', 'p-retry', undefined])
    expect([...bundle.imports, ...bundle.dynamicImports]).toEqual([])
  })
})

describe('tree-shaking', () => {
  it('a pure helper comes without the engine', async () => {
    const bundle = await bundleOf(`export { safeReturnTo } from './dist/index.js'`)
    expect(bundle.moduleIds.filter((id) => id.includes('p-retry'))).toEqual([])
    expect(withoutComments(bundle.code)).not.toMatch(/www-authenticate/i)
  })

  it('nothing is left of an import that nobody uses, whatever package.json says about side effects', async () => {
    const bundle = await bundleOf(`import './dist/index.js'`)
    expect(bundle.code.trim()).toBe('')
  })
})

async function bundleOf(code: string): Promise<OutputChunk> {
  const entry = {
    name: 'entry',
    resolveId: (id: string) => (id === 'entry.js' ? id : null),
    load: (id: string) => (id === 'entry.js' ? code : null),
  }
  const bundle = await rollup({
    input: 'entry.js',
    plugins: [entry, nodeResolve({ browser: true })],
    treeshake: { moduleSideEffects: true },
    onwarn: () => {}, // an empty chunk is what one test wants to see
  })
  const { output } = await bundle.generate({ format: 'es' })
  return output[0]
}

/** What runs: a comment may name whatever it likes. */
function withoutComments(code: string): string {
  return ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ESNext, removeComments: true } })
    .outputText
}
