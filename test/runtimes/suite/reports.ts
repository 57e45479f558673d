/** Hears what nobody should have to: rejections that nobody handles, and lines on the console (E3). */

type Process = { on(event: string, listener: (reason: unknown) => void): void; off: Process['on'] }

const LEVELS = ['debug', 'error', 'info', 'log', 'trace', 'warn'] as const

export function listen(): { readonly reports: string[]; end(): void } {
  const reports: string[] = []
  const onRejection = (reason: unknown): void => void reports.push(`a rejection that nobody handled: ${reason}`)
  const onEvent = (event: Event & { reason?: unknown }): void => {
    event.preventDefault()
    onRejection(event.reason)
  }
  const { process, console } = globalThis as unknown as { process?: Process; console: Console }
  // Node and Bun tell the process, everybody else the global object; Deno both.
  const tellsProcess = typeof process?.on === 'function' && !('Deno' in globalThis)
  if (tellsProcess) process.on('unhandledRejection', onRejection)
  else globalThis.addEventListener('unhandledrejection', onEvent)

  const before = LEVELS.map((level) => console[level])
  for (const level of LEVELS)
    console[level] = (...args: unknown[]) => void reports.push(`console.${level}: ${args.join(' ')}`)
  return {
    reports,
    end() {
      if (tellsProcess) process.off('unhandledRejection', onRejection)
      else globalThis.removeEventListener('unhandledrejection', onEvent)
      for (const [index, level] of LEVELS.entries()) console[level] = before[index] as Console['log']
    },
  }
}
