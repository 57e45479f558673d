// docs/schemes.md: every block is a file of one small project outside the repository, with relatch installed there. All are compiled
// under `strict`, and each is run once, against a server behind fetch that looks at the headers.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksIn, compilerSays, deadLinks, filesIn, newProject, unknownImports } from './page.ts'

const page = readFileSync('docs/schemes.md', 'utf8')
const files = filesIn(page)
const project = newProject('schemes', ['@types'])

/** Before every program: what was sent, and what answers. */
const WORLD = `
export const sent = []
export let answer = () => Response.json({})
export const answerWith = (next) => void (answer = next)
globalThis.fetch = async (input, init) => {
  const request = new Request(input, init)
  sent.push(request)
  return answer(request)
}
export const tell = (value) => process.stdout.write(JSON.stringify(value))
`

beforeAll(() => {
  project.write('world.js', WORLD)
  for (const [file, code] of files) project.write(file, code)
})
afterAll(() => project.remove())

async function told(program: string): Promise<unknown> {
  const text = `import { answerWith, sent, tell } from './world.js'\n${program}`
  const args = ['--input-type=module', '--eval', text]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: project.folder, timeout: 20_000 })
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

describe('docs/schemes.md', () => {
  it('holds no code that is not tested: every block says which file it is', () => {
    expect(files.size).toBe(blocksIn(page))
    expect(files.size).toBeGreaterThan(6)
  })

  it('compiles under strict', () => {
    const compilerOptions = {
      module: 'NodeNext',
      target: 'ES2023',
      lib: ['ES2023', 'DOM', 'DOM.Iterable', 'ESNext.Disposable'],
      types: [],
      strict: true,
      noEmit: true,
    }
    const include = [...files.keys()]
    project.write('tsconfig.json', JSON.stringify({ compilerOptions, include }))
    expect(compilerSays(project.folder)).toBe('')
  })

  it('names what exists', () => {
    expect(deadLinks(page)).toEqual([])
    expect(unknownImports(page)).toEqual([])
  })
})

describe('each scheme', () => {
  it('bearer sends the token', async () => {
    const outcome = await told(`
      const { api } = await import('./bearer.ts')
      await api.signIn({ accessToken: 'token' })
      await api('/items')
      tell(sent[0].headers.get('authorization'))
    `)
    expect(outcome).toBe('Bearer token')
  })

  it('DPoP sends the token with a proof, and the token endpoint gets one too', async () => {
    const outcome = await told(`
      const { api, signOut, thumbprint } = await import('./dpop.ts')
      answerWith(({ url }) => url.endsWith('/token')
        ? Response.json({ access_token: 'new', token_type: 'DPoP' })
        : new Response(null, { status: 200 }))
      await api.signIn({ accessToken: 'old', refreshToken: 'refresh', tokenType: 'DPoP' })
      await api.refresh()
      await api('/items')
      const before = await thumbprint()
      await signOut()
      tell({
        authorization: sent.map(({ headers }) => headers.get('authorization')),
        proofs: new Set(sent.map(({ headers }) => headers.get('dpop'))).size,
        isNewKey: before !== (await thumbprint()),
      })
    `)
    expect(outcome).toEqual({ authorization: [null, 'DPoP new'], proofs: 2, isNewKey: true })
  })

  it('O1 a cookie session sends its CSRF header at home, and knows a refusal for it', async () => {
    const outcome = await told(`
      const warned = []
      console.warn = (text) => warned.push(text)
      const { api, signedIn } = await import('./cookie.ts')
      globalThis.document = { cookie: 'XSRF-TOKEN=a%3D', baseURI: 'https://app.example/' }
      await signedIn()
      await api('/orders', { method: 'POST', body: '1' })
      await api('/orders')
      answerWith(() => new Response('Page expired', { status: 419 }))
      const { status } = await api('/orders', { method: 'POST', body: '1' })
      tell({ csrf: sent.map(({ headers }) => headers.get('x-xsrf-token')), status, warned })
    `)
    expect(outcome).toEqual({
      csrf: ['a=', null, 'a='],
      status: 419,
      warned: ['The page is out of date: reload it'],
    })
  })

  it('D1 a server says in its own words that it was CSRF', async () => {
    const outcome = await told(`
      import { authFailureOf, createAuthFetch } from 'relatch'
      const { scheme } = await import('./csrf-failure.ts')
      const api = createAuthFetch({ baseUrl: 'https://app.example', scheme })
      answerWith(() => new Response(null, { status: 403, headers: { 'x-csrf-failed': '1' } }))
      const reasons = [authFailureOf(await api('/orders')).reason]
      answerWith(() => new Response(null, { status: 403 }))
      reasons.push(authFailureOf(await api('/orders')).reason)
      tell(reasons)
    `)
    expect(outcome).toEqual(['csrf', 'forbidden'])
  })

  it('L2 a 401 asks for a name and a password, and the request goes on', async () => {
    const outcome = await told(`
      globalThis.ask = async (realm) => ({ name: realm, password: 'open sesame' })
      answerWith(({ headers }) => headers.has('authorization')
        ? Response.json({})
        : new Response(null, { status: 401, headers: { 'www-authenticate': 'Basic realm="Aladdin"' } }))
      const { api } = await import('./basic.ts')
      tell([(await api('/items')).status, sent[1].headers.get('authorization')])
    `)
    expect(outcome).toEqual([200, 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='])
  })

  it('O1 an API key goes in a header, and in no URL', async () => {
    const outcome = await told(`
      const { api, useKey } = await import('./api-key.ts')
      await useKey('key-1')
      await api('/items')
      tell([sent[0].headers.get('x-api-key'), sent[0].url])
    `)
    expect(outcome).toEqual(['key-1', 'https://api.example/items'])
  })

  it('Digest is explained', async () => {
    const outcome = await told(`
      const warned = []
      console.warn = (text) => warned.push(text)
      const challenge = 'Digest realm="printer", nonce="n", algorithm=SHA-256'
      answerWith(() => new Response(null, { status: 401, headers: { 'www-authenticate': challenge } }))
      const { api } = await import('./digest.ts')
      tell([(await api('/jobs')).status, warned])
    `)
    expect(outcome).toEqual([401, ['printer wants Digest with SHA-256']])
  })
})
