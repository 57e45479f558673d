/** A route of the API: who may use it, what it answers, and which paths it is for. */
import type { Outcome } from './answers.ts'
import { misuse } from './misuse.ts'

/** What a handler is told about whoever calls. */
export interface RouteContext {
  /** The name of the user, or of the client where it acts for itself; null on a public route without credentials. */
  user: string | null
  roles: readonly string[]
  scopes: readonly string[]
  /** The short id of the session, as in the request log. */
  session: string | null
  acr: string | null
  /** When the user last proved who they are, Unix milliseconds. */
  authenticatedAt: number | null
  /** The `:named` parts of the path, decoded. */
  params: Readonly<Record<string, string>>
  /** Fires when the caller has left. */
  signal: AbortSignal
}

/** `'dropped'` ends the connection without an answer. */
export type RouteHandler = (request: Request, context: RouteContext) => Outcome | Promise<Outcome>

export interface RouteOptions {
  /**
   * Whether anyone may call. A token that is sent all the same is still judged for the log.
   *
   * @default false
   */
  isPublic?: boolean
  /** The role it takes; without it a 403 problem is answered. */
  role?: string
  /** The scope it takes; without it a 403 with `insufficient_scope` is answered. */
  scope?: string
  /**
   * Whether the handler runs, and reads the body, before the caller is judged; its answer is then thrown away where they may
   * not come in. So servers behave that parse bodies first: the 401 comes after the last byte.
   *
   * @default false
   */
  isJudgedLate?: boolean
  handle: RouteHandler
}

export interface MatchedRoute {
  route: RouteOptions
  params: Record<string, string>
}

export interface Router {
  /** The route for a request, or the methods that the path does have (none: no such path). HEAD is GET without a body. */
  match(method: string, path: string): MatchedRoute | { allowed: readonly string[] }
}

interface Entry {
  method: string
  segments: readonly string[]
  route: RouteOptions
}

/** The first table that knows a path and method wins. */
export function createRouter(...tables: ReadonlyArray<Readonly<Record<string, RouteHandler | RouteOptions>>>): Router {
  const entries = tables.flatMap((table) => Object.entries(table).map(([pattern, route]) => readEntry(pattern, route)))
  return {
    match(method, path) {
      const wanted = method === 'HEAD' ? 'GET' : method
      const allowed = new Set<string>()
      const segments = path.split('/')
      for (const entry of entries) {
        const params = readParams(entry.segments, segments)
        if (params === null) continue
        if (entry.method === wanted) return { route: entry.route, params }
        allowed.add(entry.method)
      }
      if (allowed.has('GET')) allowed.add('HEAD')
      return { allowed: [...allowed] }
    },
  }
}

function readEntry(pattern: string, route: RouteHandler | RouteOptions): Entry {
  const [, method = 'GET', path] = /^(?:([A-Z]+) )?(\/[^\s?#]*)$/.exec(pattern) ?? []
  if (path === undefined) throw misuse('ERR_ROUTE', "a route to look like 'GET /orders/:id'")
  return { method, segments: path.split('/'), route: typeof route === 'function' ? { handle: route } : route }
}

function readParams(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null
  const params: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] as string
    if (part.startsWith(':') && segment !== '') params[part.slice(1)] = decode(segment)
    else if (part !== segment) return null
  }
  return params
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
