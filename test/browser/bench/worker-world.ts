/** A world whose pages have a service worker: its script is made anew for each version, as a build would. */
import { setTimeout } from 'node:timers/promises'
import type { ServeSessionOptions } from '../../../src/service-worker/index.ts'
import type { AuthServerOptions } from '../../../src/testing/index.ts'
import type { AnyBench } from './browsers.ts'
import type { World } from './page-server.ts'
import { workerScript } from './worker-script.ts'

export interface WorkerScript {
  version: number
  options: Pick<ServeSessionOptions, 'tokenEndpoints' | 'refreshRetries'>
  /** Put in for service workers alone, as docs/service-worker.md says. */
  key?: string
  /** How long the server takes to answer with it. */
  delayMs?: number
  /** For each request of the script, what it said it was for. */
  readonly askedFor: string[]
}

export interface WorkerWorld extends World {
  readonly script: WorkerScript
}

export async function workerWorld(
  bench: AnyBench,
  given: Partial<Omit<WorkerScript, 'askedFor'>> = {},
  options: AuthServerOptions = {},
): Promise<WorkerWorld> {
  const script: WorkerScript = { version: 1, options: {}, ...given, askedFor: [] }
  const handle = async (request: Request): Promise<Response> => {
    const purpose = request.headers.get('sec-fetch-dest') ?? ''
    script.askedFor.push(purpose)
    if (script.delayMs !== undefined) await setTimeout(script.delayMs)
    const isWorker = purpose === 'serviceworker' && request.headers.get('service-worker') === 'script'
    const key = isWorker ? script.key : undefined
    const workerOptions = { ...script.options, ...(key !== undefined && { key }) }
    return workerScript('worker.ts', { version: script.version, workerOptions })
  }
  const routes = { 'GET /worker.js': { isPublic: true, handle }, ...options.routes }
  return { ...(await bench.world({ ...options, routes })), script }
}
