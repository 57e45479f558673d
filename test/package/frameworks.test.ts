// docs/frameworks.md: every block is a file of one small project outside the repository, with relatch installed there. All are
// compiled under `strict` and run by their framework: rendered as a server does, and listened to as a browser does.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { compile, compileModule } from 'svelte/compiler'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileScript, parse } from 'vue/compiler-sfc'
import { blocksIn, compilerSays, deadLinks, filesIn, newProject, unknownImports } from './page.ts'

const page = readFileSync('docs/frameworks.md', 'utf8')
const files = filesIn(page)
const { folder: project, write, remove } = newProject('frameworks', ['@types', 'react', 'react-dom', 'svelte', 'vue'])
const textOf = (file: string): string => files.get(file) ?? expect.fail(`Expected the block ${file}`)

/** Before every program: a server behind fetch, and a session that counts who listens to it. */
const WORLD = `
import { createAuthFetch } from 'relatch'
import { createAuthServer } from 'relatch/testing'

export const server = createAuthServer()
globalThis.fetch = server.fetch
export const ada = { accessToken: 'token', subject: 'ada' }

export function countedSession() {
  const api = createAuthFetch({ baseUrl: 'https://api.example' })
  const session = {
    ...api,
    listeners: 0,
    subscribe(listener) {
      session.listeners++
      const end = api.subscribe(listener)
      return () => {
        session.listeners--
        end()
      }
    },
  }
  return session
}
export const tell = (value) => process.stdout.write(JSON.stringify(value))
`

/** The router that the page's example takes from the program around it. */
const ROUTER = `
export const pushed: string[] = []
export const router = { push: (path: string): void => void pushed.push(path) }
`

/** Listens as a component in a browser does, which on Node only compiled code can. */
const SVELTE_LISTENER = `
export function listen(session, seen) {
  return $effect.root(() => {
    $effect(() => void seen.push(session.current.status))
  })
}
`

beforeAll(() => {
  write('world.js', WORLD)
  write('router.ts', ROUTER)
  for (const [file, code] of files) write(file, code)

  const { outputText } = ts.transpileModule(textOf('account.tsx'), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, jsx: ts.JsxEmit.ReactJSX },
  })
  write('account-react.js', outputText)

  const { descriptor } = parse(textOf('account.vue'), { filename: 'account.vue' })
  const vue = compileScript(descriptor, {
    id: 'account',
    inlineTemplate: true,
    templateOptions: { ssr: true, ssrCssVars: [] },
  })
  write('account-vue.ts', vue.content)

  const options = { generate: 'server', filename: 'account.svelte' } as const
  write('account-svelte.js', compile(textOf('account.svelte'), options).js.code)
  const listener = compileModule(SVELTE_LISTENER, { generate: 'client', filename: 'listen.svelte.js' })
  write('listen.js', listener.js.code)
})

afterAll(remove)

/** Runs a program beside the blocks; what it tells. One that hangs, throws or writes to stderr is wrong. */
async function told(program: string, ...conditions: string[]): Promise<unknown> {
  const text = `import { ada, countedSession, server, tell } from './world.js'\n${program}`
  const args = [...conditions, '--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', text]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: project, timeout: 20_000 })
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

/** Comments mark where a framework goes on from in the browser; nobody sees them. */
const visible = (html: unknown): string =>
  String(html)
    .replace(/<!--.*?-->/g, '')
    .trim()

describe('docs/frameworks.md', () => {
  it('holds no code that is not tested: every block says which file it is', () => {
    expect(files.size).toBe(blocksIn(page))
    expect(files.size).toBeGreaterThan(9)
  })

  it('compiles under strict', () => {
    for (const file of ['account.vue', 'account.svelte']) {
      const [, script = ''] = /<script.*?>([\s\S]*?)<\/script>/.exec(textOf(file)) ?? []
      write(`${file}.script.ts`, script)
    }
    const compilerOptions = {
      module: 'ESNext',
      moduleResolution: 'bundler',
      target: 'ES2023',
      lib: ['ES2023', 'DOM', 'DOM.Iterable', 'ESNext.Disposable'],
      jsx: 'react-jsx',
      types: [],
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      // What the frameworks' own types ask of each other is theirs.
      skipLibCheck: true,
    }
    write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['*.ts', '*.tsx'], exclude: ['account-vue.ts'] }))
    expect(compilerSays(project)).toBe('')
  })

  it('names what exists', () => {
    expect(deadLinks(page)).toEqual([])
    expect(unknownImports(page)).toEqual([])
  })
})

describe('React', () => {
  it('a server renders nobody', async () => {
    const html = await told(`
      import { createElement } from 'react'
      import { renderToString } from 'react-dom/server'
      import { Account } from './account-react.js'
      tell(renderToString(createElement(Account)))
    `)
    expect(html).toBe('<a href="/login">Sign in</a>')
  })
})

describe('Vue', () => {
  it('the component shows who is signed in', async () => {
    const html = await told(`
      import { createSSRApp } from 'vue'
      import { renderToString } from 'vue/server-renderer'
      import Account from './account-vue.ts'
      import { api } from './api.ts'
      const before = await renderToString(createSSRApp(Account))
      await api.signIn(ada)
      tell([before, await renderToString(createSSRApp(Account))])
    `)
    expect(html).toEqual(['<a href="/login">Sign in</a>', '<button>Sign out ada</button>'])
  })

  it('the ref changes with the session, and its scope ends the listening', async () => {
    const outcome = await told(`
      import { effectScope, watch } from 'vue'
      import { useAuthSession } from './use-auth-session.ts'
      const api = countedSession()
      const seen = []
      const scope = effectScope()
      scope.run(() => {
        const session = useAuthSession(api)
        watch(session, ({ status }) => seen.push(status), { immediate: true, flush: 'sync' })
      })
      const { listeners } = api
      await api.signIn(ada)
      await api.signOut()
      scope.stop()
      await api.signIn(ada)
      tell({ seen, listeners: [listeners, api.listeners] })
    `)
    expect(outcome).toEqual({ seen: ['signed-out', 'signed-in', 'signed-out'], listeners: [1, 0] })
  })
})

describe('Svelte', () => {
  it('the component shows who is signed in', async () => {
    const html = (await told(`
      import { render } from 'svelte/server'
      import Account from './account-svelte.js'
      import { api } from './api.ts'
      const before = render(Account).body
      await api.signIn(ada)
      tell([before, render(Account).body])
    `)) as string[]
    expect(html.map(visible)).toEqual(['<a href="/login">Sign in</a>', '<button>Sign out ada</button>'])
  })

  it('effects run when the session changes, and the last one ends the listening', async () => {
    const program = `
      import { flushSync, tick } from 'svelte'
      import { authSession } from './auth-session.ts'
      import { listen } from './listen.js'
      const api = countedSession()
      const session = authSession(api)
      const seen = []
      const unheard = api.listeners
      const ends = [listen(session, seen), listen(session, [])]
      flushSync()
      const { listeners } = api
      await api.signIn(ada)
      flushSync()
      await api.signOut()
      flushSync()
      for (const end of ends) end()
      await tick()
      tell({ seen, listeners: [unheard, listeners, api.listeners] })
    `
    const outcome = await told(program, '--conditions=browser')
    expect(outcome).toEqual({ seen: ['signed-out', 'signed-in', 'signed-out'], listeners: [0, 1, 0] })
  })

  it('the store listens while somebody listens to it, and is never behind', async () => {
    const outcome = await told(`
      import { get } from 'svelte/store'
      import { sessionStore } from './session-store.ts'
      const api = countedSession()
      const session = sessionStore(api)
      const counts = [api.listeners]
      await api.signIn(ada)
      const late = get(session).status
      const seen = []
      const end = session.subscribe(({ status }) => seen.push(status))
      counts.push(api.listeners)
      await api.signOut()
      end()
      counts.push(api.listeners)
      tell({ late, seen: seen.filter((status, index) => status !== seen[index - 1]), counts })
    `)
    expect(outcome).toEqual({ late: 'signed-in', seen: ['signed-in', 'signed-out'], counts: [0, 1, 0] })
  })
})

describe('plain DOM', () => {
  it('the element shows who is signed in, until that is ended', async () => {
    const outcome = await told(`
      import { showSession } from './show-session.ts'
      const api = countedSession()
      const element = {}
      const end = showSession(element, api)
      const seen = [element.textContent]
      await api.signIn(ada)
      seen.push(element.textContent)
      end()
      await api.signOut()
      seen.push(element.textContent, api.listeners)
      tell(seen)
    `)
    expect(outcome).toEqual(['Not signed in', 'Signed in as ada', 'Signed in as ada', 0])
  })
})

describe('the login page', () => {
  const LOCATION = `
    const visited = []
    const show = (href) => {
      const { origin, search } = new URL(href)
      globalThis.location = { href, origin, search, assign: (url) => visited.push(url) }
    }
  `

  it('L3 L4 a 401 leads there, and the login back to where it was', async () => {
    const visited = await told(`
      import { api } from './api.ts'
      import { signIn } from './login.ts'
      ${LOCATION}
      show('https://app.example/cart?item=3')
      const waiting = api('/me')
      await new Promise((resolve) => api.on('login-required', resolve))
      while (visited.length === 0) await new Promise(setImmediate)
      show(visited[0])
      const wrong = await signIn('viewer', 'wrong')
      const right = await signIn('viewer', 'viewer')
      show('https://app.example/login?returnTo=//evil.example')
      await signIn('viewer', 'viewer')
      tell({ visited, wrong, right, status: (await waiting).status })
    `)
    expect(visited).toEqual({
      visited: ['https://app.example/login?returnTo=%2Fcart%3Fitem%3D3', '/cart?item=3', '/'],
      wrong: false,
      right: true,
      status: 200,
    })
  })

  it('L2 a router goes there without leaving, and what waited goes on', async () => {
    const outcome = await told(`
      import { createAuthFetch } from 'relatch'
      import { onLoginRequired } from './login-route.ts'
      import { pushed } from './router.ts'
      ${LOCATION}
      show('https://app.example/cart')
      const api = createAuthFetch({ baseUrl: 'https://api.example', onLoginRequired })
      const waiting = api('/me')
      while (pushed.length === 0) await new Promise(setImmediate)
      await api.signIn(server.signIn('viewer'))
      tell({ pushed, visited, status: (await waiting).status })
    `)
    expect(outcome).toEqual({ pushed: ['/login?returnTo=%2Fcart'], visited: [], status: 200 })
  })

  it('a guard waits for the store, and a snapshot does not', async () => {
    const outcome = await told(`
      import { createAuthFetch } from 'relatch'
      import { isSignedIn } from './guard.ts'
      const stored = (tokens) => ({
        read: () => new Promise((resolve) => setImmediate(resolve, tokens && { sessionId: '1', version: 1, tokens })),
        write: async () => true,
      })
      const outcome = []
      for (const tokens of [ada, null]) {
        const api = createAuthFetch({ baseUrl: 'https://api.example', store: stored(tokens) })
        outcome.push(api.snapshot().status, await isSignedIn(api), api.snapshot().status)
      }
      tell(outcome)
    `)
    expect(outcome).toEqual(['signed-out', true, 'signed-in', 'signed-out', false, 'signed-out'])
  })
})
