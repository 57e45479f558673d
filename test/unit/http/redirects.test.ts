import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { followRedirects, type Hop, isRedirect } from '../../../src/http/redirects.ts'

const HOME = 'https://api.example'
const redirect = (location: string | null, status = 307): Response =>
  new Response('moved', { status, headers: location === null ? {} : { location } })
const ok = () => new Response('the end')

/** Follows a chain of answers; says which hops were made, and what came back. */
async function follow(
  answers: Response[],
  start: { url?: string; method?: string; hasBody?: boolean } = {},
): Promise<{ hops: Hop[]; response: Response }> {
  const hops: Hop[] = []
  const [first = ok(), ...rest] = answers
  const response = await followRedirects(
    first,
    { url: new URL(start.url ?? `${HOME}/start`), method: start.method ?? 'GET', hasBody: start.hasBody ?? false },
    async (hop) => {
      hops.push(hop)
      return rest.shift() ?? ok()
    },
  )
  return { hops, response }
}

describe('isRedirect', () => {
  it('O2 knows the five of the Fetch standard, and no other', () => {
    const statuses = Array.from({ length: 400 }, (_, index) => index + 200)

    expect(statuses.filter((status) => isRedirect({ status } as Response))).toEqual([301, 302, 303, 307, 308])
  })
})

describe('methods and bodies', () => {
  const keeps = (method: string) => [method, true] as const
  const get = ['GET', false] as const
  it.each([
    [301, 'POST', get],
    [302, 'POST', get],
    [303, 'POST', get],
    [307, 'POST', keeps('POST')],
    [308, 'POST', keeps('POST')],
    [301, 'PUT', keeps('PUT')],
    [302, 'PUT', keeps('PUT')],
    [303, 'PUT', get],
    [307, 'PUT', keeps('PUT')],
    [303, 'DELETE', get],
    [302, 'DELETE', keeps('DELETE')],
  ])('O2 a %i to a %s', async (status, method, [expected, hasBody]) => {
    const { hops } = await follow([redirect('/next', status)], { method, hasBody: true })

    expect(hops.map((hop) => [hop.method, hop.hasBody])).toEqual([[expected, hasBody]])
    expect(hops[0]?.droppedHeaders.includes('content-type')).toBe(!hasBody)
  })

  it.each([301, 302, 303, 307, 308])('O2 a %i to a HEAD stays a HEAD', async (status) => {
    expect((await follow([redirect('/next', status)], { method: 'HEAD' })).hops[0]?.method).toBe('HEAD')
  })

  it('O2 a body that was dropped does not come back', async () => {
    const { hops } = await follow([redirect('/a', 303), redirect('/b', 307)], { method: 'POST', hasBody: true })

    expect(hops.map(({ method, hasBody }) => [method, hasBody])).toEqual([
      ['GET', false],
      ['GET', false],
    ])
    expect(hops[1]?.droppedHeaders).toContain('content-type')
  })
})

describe('where a hop is at home', () => {
  it.each([
    ['/next', true],
    ['next', true],
    ['//api.example/next', true],
    [`${HOME}:443/next`, true],
    ['HTTPS://API.EXAMPLE/next', true],
    ['https://api.example:8443/next', false],
    ['http://api.example/next', false],
    ['//evil.example/next', false],
    ['https://sub.api.example/next', false],
    ['https://api.example.evil.example/next', false],
    ['https://api.example@evil.example/next', false],
    ['https://user:password@api.example/next', false],
    ['https://user@api.example/next', false],
    ['\\\\evil.example/next', false],
    ['/\t/evil.example/next', false],
  ])('O2 %j: %s', async (location, isHome) => {
    expect((await follow([redirect(location)])).hops[0]?.isHome).toBe(isHome)
  })

  it('O2 whoever has left does not come home, by whatever way', async () => {
    const place = fc.constantFrom(HOME, 'https://evil.example', 'http://api.example', `${HOME}:8443`)
    await fc.assert(
      fc.asyncProperty(fc.array(place, { minLength: 1, maxLength: 20 }), async (places) => {
        const { hops } = await follow(places.map((origin) => redirect(`${origin}/next`)))
        const leaves = places.findIndex((origin) => origin !== HOME)
        expect(hops.map(({ isHome }) => isHome)).toEqual(places.map((_, index) => leaves === -1 || index < leaves))
      }),
    )
  })
})

describe('locations', () => {
  it.each([
    ['next', `${HOME}/dir/next`],
    ['../next', `${HOME}/next`],
    ['?x=1', `${HOME}/dir/start?x=1`],
    ['', `${HOME}/dir/start`],
    ['/a b', `${HOME}/a%20b`],
    ['/Ã¼', `${HOME}/%C3%BC`],
  ])('O2 %j leads to %s', async (location, expected) => {
    expect((await follow([redirect(location)], { url: `${HOME}/dir/start` })).hops[0]?.url.href).toBe(expected)
  })

  it.each([
    ['/next', `${HOME}/next#start`],
    ['/next#other', `${HOME}/next#other`],
  ])('O2 %j takes the fragment along unless it has its own', async (location, expected) => {
    expect((await follow([redirect(location)], { url: `${HOME}/start#start` })).hops[0]?.url.href).toBe(expected)
  })

  it.each([
    'http://[bad',
    'https://',
    'data:text/plain,x',
    'javascript:alert(1)',
    'ftp://a/b',
    'mailto:a@b.example',
    'blob:https://a/b',
  ])('O2 %j is a TypeError, and nothing is sent', async (location) => {
    const sent: Hop[] = []
    const start = { url: new URL(HOME), method: 'GET', hasBody: false }
    const following = followRedirects(redirect(location), start, async (hop) => {
      sent.push(hop)
      return ok()
    })

    await expect(following).rejects.toThrow(TypeError)
    expect(sent).toEqual([])
  })
})

describe('the end of a chain', () => {
  it('O2 an answer that is no redirect is handed back as it came', async () => {
    const first = ok()
    const { response, hops } = await follow([first])

    expect(response).toBe(first)
    expect(hops).toEqual([])
    expect(Object.hasOwn(response, 'redirected')).toBe(false)
  })

  it('O2 a redirect without a location is an answer', async () => {
    const first = redirect(null)

    expect((await follow([first])).response).toBe(first)
    expect(first.bodyUsed).toBe(false)
  })

  it('O2 what a chain ends with says that it was redirected', async () => {
    expect((await follow([redirect('/next')])).response.redirected).toBe(true)
  })

  it('B4 the bodies on the way are read, that at the end is not', async () => {
    const way = [redirect('/a'), redirect('/b')]
    const end = ok()
    await follow([...way, end])

    expect(way.map(({ bodyUsed }) => bodyUsed)).toEqual([true, true])
    expect(end.bodyUsed).toBe(false)
  })

  it('O2 20 redirects are followed, the 21st is a TypeError', async () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => redirect(`/${index}`))

    expect((await follow(many(20))).hops).toHaveLength(20)
    await expect(follow(many(21))).rejects.toThrow('more than 20 redirects')
  })

  it('O2 a redirect that a browser hides is a TypeError', async () => {
    const hidden = Object.defineProperty(new Response(null), 'type', { value: 'opaqueredirect' })

    await expect(follow([hidden])).rejects.toThrow('A redirect was refused')
    await expect(follow([redirect('/next'), hidden])).rejects.toThrow('A redirect was refused')
  })

  it('E2 what the transport throws on the way is handed on', async () => {
    const broken = new Error('the network is gone')
    const start = { url: new URL(HOME), method: 'GET', hasBody: false }

    await expect(followRedirects(redirect('/next'), start, () => Promise.reject(broken))).rejects.toBe(broken)
  })
})
