/** A browser's request, passed on with the session that its cookie stands for. */
export async function passOn(api: typeof fetch, origin: string | undefined, request: Request): Promise<Response> {
  // Another site's page may send one too, and the browser adds the cookie where it counts as ours (a subdomain does).
  const isReading = request.method === 'GET' || request.method === 'HEAD'
  const site = request.headers.get('sec-fetch-site') ?? 'same-origin'
  if (!isReading && site !== 'same-origin') return new Response(null, { status: 403 })
  const { pathname, search } = new URL(request.url)
  const headers = new Headers()
  for (const name of ['accept', 'content-type']) {
    const value = request.headers.get(name)
    if (value !== null) headers.set(name, value)
  }
  const answer = await api(origin + pathname.slice('/api'.length) + search, {
    method: request.method,
    headers,
    body: request.body,
    duplex: 'half',
    signal: request.signal,
  } as RequestInit)
  const type = answer.headers.get('content-type')
  return new Response(answer.body, {
    status: answer.status,
    headers: { 'cache-control': 'no-store', ...(type && { 'content-type': type }) },
  })
}
