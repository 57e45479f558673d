/** The suite in workerd: a request for each case, and for each job that a case asks for. */
import type { Runtime } from '../suite/case.ts'
import { JOBS } from '../suite/jobs.ts'
import { count, runCase } from '../suite/run-case.ts'
import type { Places } from '../suite/world.ts'

async function ask(self: string, job: string, key: string, places: Places, signal?: AbortSignal): Promise<string> {
  const url = `${self}/job?${new URLSearchParams({ job, key, places: JSON.stringify(places) })}`
  return (await fetch(url, signal ? { signal } : {})).text()
}

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams, origin } = new URL(request.url)
    const given = (name: string): string => searchParams.get(name) ?? ''
    if (pathname === '/count') return Response.json(count())
    const places = JSON.parse(given('places')) as Places
    if (pathname === '/job') {
      const job = JOBS[given('job')] as (typeof JOBS)[string]
      return new Response(await job(places, given('key')))
    }
    const runtime = given('runtime') as Runtime
    return Response.json(
      await runCase(Number(given('index')), {
        ...{ runtime, places },
        ask: (job, world, signal) => ask(origin, job, world.key, world.places, signal),
      }),
    )
  },
}
