/** Prints the trace: one block a scene, what the server saw and what the app got in order, equal lines folded into one. */
import { styleText } from 'node:util'
import type { AuthServer, SeenRequest } from 'relatch/testing'

type Style = Parameters<typeof styleText>[0]

export interface Printer {
  title(text: string, subtitle: string): void
  /** Runs a scene, prints what happened in it, and last what came of it. */
  scene(name: string, run: () => Promise<string>): Promise<void>
  /** Something that the app's own code noticed. */
  app(text: string): void
  event(name: string, payload: object): void
}

interface Line {
  count: number
  who: 'server' | 'app' | 'event'
  text: string
  style: Style
}

/** What a credential is worth, in the words of the trace. */
const CREDENTIALS: Record<SeenRequest['credential'], string> = {
  none: 'no token',
  valid: '',
  expired: 'expired token',
  revoked: 'revoked token',
  spent: 'spent token',
  unknown: 'unknown token',
}

const styleOf = (status: number): Style =>
  status >= 500 || status === 0 ? 'red' : status === 403 ? 'magenta' : status >= 400 ? 'yellow' : 'green'

export function createPrinter(server: AuthServer): Printer {
  let scenes = 0
  let lines = new Map<string, Line>()
  const add = (who: Line['who'], text: string, style: Style): void => {
    const line = lines.get(`${who} ${text}`) ?? { count: 0, who, text, style }
    line.count++
    lines.set(`${who} ${text}`, line)
  }

  server.onRequest(({ method, path, status, credential, grant }) => {
    const target = `${method} ${path.replace(/\/\d+$/, '/…')}`.padEnd(16)
    const why = [grant?.replace('_', ' '), CREDENTIALS[grant === 'password' ? 'valid' : credential]].filter(Boolean)
    add('server', `${target} ${status || 'cut'}  ${why.join(', ')}`.trimEnd(), styleOf(status ?? 0))
  })

  return {
    title(text, subtitle) {
      console.log(`\n${styleText('bold', text)}\n${styleText('dim', subtitle)}`)
    },
    async scene(name, run) {
      server.reset()
      lines = new Map()
      const startedAt = performance.now()
      const result = await run()
      const took = `${Math.round(performance.now() - startedAt)} ms`
      console.log(`\n${styleText('bold', `${++scenes}  ${name}`)}  ${styleText('dim', took)}`)
      for (const { count, who, text, style } of lines.values()) {
        const times = count > 1 ? `${count} ×`.padStart(5) : '     '
        console.log(`   ${styleText('dim', who.padEnd(7))}${times} ${styleText(style, text)}`)
      }
      console.log(`   ${styleText(['bold', 'cyan'], '→')} ${result}`)
    },
    app: (text) => add('app', text, 'cyan'),
    event: (name, payload) => add('event', describe(name, payload), 'blue'),
  }
}

/** An event in one line: its name and what a reader would ask for next. */
function describe(name: string, payload: object): string {
  const { reason, verdict, oauthError, attempts, status } = payload as Record<string, unknown>
  const tries = attempts === undefined ? undefined : `${attempts} attempt${attempts === 1 ? '' : 's'}`
  const details = [verdict, oauthError, reason, tries, status].filter((detail) => detail !== undefined)
  return `${name.padEnd(16)} ${details.join(', ')}`.trimEnd()
}
