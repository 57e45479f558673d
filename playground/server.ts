/**
 * `npm start`: an auth server on loopback, and a page that plays with it through the built package. `npm start -- --trace` tells
 * the same story in the terminal instead.
 */
import { parseArgs, styleText } from 'node:util'
import type { AuthServer, ListeningServer } from 'relatch/testing'
import { openBrowser } from './open-browser.ts'
import { readPageFiles } from './page-files.ts'
import { createWorld } from './world.ts'

const PORT = 4010
const USAGE = `npm start               the playground, in your browser (PORT=${PORT} says where)
npm start -- --no-open  the same, and you open the page yourself
npm start -- --trace    a session's life as text in this terminal, without a browser`

const flags = readFlags()
if (flags.help) console.log(USAGE)
else if (flags.trace) await import('../examples/trace.ts')
else await play(!flags['no-open'])

function readFlags(): { trace?: boolean; 'no-open'?: boolean; help?: boolean } {
  const options = {
    trace: { type: 'boolean' },
    'no-open': { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const
  try {
    return parseArgs({ options }).values
  } catch (error) {
    fail(`${(error as Error).message.split('. ')[0]}.\n\n${USAGE}`)
  }
}

async function play(mayOpen: boolean): Promise<void> {
  const { server } = createWorld(filesOrFail())
  const http = await listen(server, readPort())
  const end = (): void => void server.close().then(() => process.exit(0))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
  if (process.env.npm_lifecycle_event !== undefined) onceOrphaned(end)
  print(http)
  if (mayOpen && process.stdout.isTTY && !process.env.CI) openBrowser(http.url)
}

function filesOrFail(): ReturnType<typeof readPageFiles> {
  try {
    return readPageFiles()
  } catch (error) {
    fail((error as Error).message)
  }
}

function readPort(): number {
  const port = Number(process.env.PORT ?? PORT)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  fail('PORT has to be a number from 0 to 65535.')
}

/** At the port, or at a free one where somebody else is there already. */
async function listen(server: AuthServer, port: number): Promise<ListeningServer> {
  try {
    return await server.listen(port)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error
    console.log(
      styleText('yellow', `Port ${port} is ${code === 'EACCES' ? 'not for us' : 'taken'}; here is a free one.`),
    )
    return server.listen()
  }
}

/** An npm that is told to end passes that on to its shell, which ends, and leaves us behind at our port. */
function onceOrphaned(end: () => void): void {
  const { ppid } = process
  const timer = setInterval(() => {
    if (process.ppid === ppid) return
    clearInterval(timer)
    end()
  }, 500)
}

function print({ url }: ListeningServer): void {
  const step = (number: number, text: string, what: string): void =>
    console.log(`  ${styleText('dim', String(number))}  ${text.padEnd(24)} ${styleText('dim', what)}`)
  console.log(`\n  ${styleText('bold', 'relatch playground')}   ${styleText(['cyan', 'underline'], url)}\n`)
  step(1, 'Sign in as viewer', 'access tokens live a minute, refresh tokens rotate')
  step(2, 'Expire, then call × 50', '50 requests meet a 401: one refresh, 50 answers')
  step(3, 'Take the server down', 'the calls that need it fail, nobody is signed out')
  console.log(`\n  ${styleText('dim', 'Ctrl-C ends it. On loopback only; nothing leaves this machine.')}\n`)
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
