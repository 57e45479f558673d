import { type NextRequest, NextResponse } from 'next/server'
import { apiFor } from './lib/api'

/** Refreshes before a page is rendered: there, cookies can be read and not written. */
export async function proxy(request: NextRequest) {
  const response = NextResponse.next()
  const api = apiFor({
    get: (name) => request.cookies.get(name),
    set: (name, value, attributes) => response.cookies.set(name, value, attributes),
  })
  // An auth server that is down is the page's to tell.
  await api.tokens().catch(() => null)
  return response
}

export const config = { matcher: '/((?!_next/|api/|login).*)' }
