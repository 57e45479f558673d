// Cookie sessions: which token goes into the CSRF header and when (C9), and which refusals are about it.
import { inspect } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { TokenSet } from '../../../src/ports.ts'
import { type CookieOptions, type CsrfOptions, cookie } from '../../../src/schemes/cookie.ts'
import { rejectionOf } from '../../helpers/rejection.ts'

afterEach(() => void vi.unstubAllGlobals())

/** As much of a page as tokens are read from. */
function page(cookies: string, metas: Record<string, string> = {}): void {
  const getElementsByName = (name: string) =>
    Object.hasOwn(metas, name)
      ? [{ localName: 'input' }, { localName: 'meta', getAttribute: () => metas[name] }]
      : [{ localName: 'input' }]
  vi.stubGlobal('document', { cookie: cookies, getElementsByName })
}

/** The one token set that an ambient scheme gets. */
const NONE = null as unknown as TokenSet

/** The headers that a request is sent with. */
async function sent(csrf: CookieOptions['csrf'], method = 'POST', headers = new Headers()): Promise<object> {
  await cookie({ csrf }).attach(headers, NONE, { method, url: new URL('https://app.test/') })
  return Object.fromEntries(headers)
}

describe('the CSRF header', () => {
  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY', 'post'])('C9 goes with %s', async (method) => {
    expect(await sent({ token: 't' }, method)).toEqual({ 'x-csrf-token': 't' })
  })

  it.each(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'get'])('C9 goes with %s only where it is asked for', async (method) => {
    expect(await sent({ token: 't' }, method)).toEqual({})
    expect(await sent({ token: '1', header: 'X-CSRF', isSentOnReads: true }, method)).toEqual({ 'x-csrf': '1' })
  })

  it('is told to the core, which keeps it off other origins; without it there is none', async () => {
    expect(cookie({ csrf: { token: 't', header: 'X-XSRF-Token' } }).headers).toEqual(['x-xsrf-token'])
    expect(cookie().headers).toEqual([])
    expect(cookie()).toMatchObject({ name: 'cookie', isAmbient: true, credentials: 'include' })
    expect(await sent(false)).toEqual({})
  })

  it.each<[what: string, cookies: string, value: string | undefined]>([
    ['alone', 'XSRF-TOKEN=abc', 'abc'],
    ['among others', 'a=1; XSRF-TOKEN=abc; b=2', 'abc'],
    ['percent-encoded, as Laravel does', 'XSRF-TOKEN=eyJpdiI6Ing9PSJ9%3D%3D', 'eyJpdiI6Ing9PSJ9=='],
    ['with a percent sign of its own', 'XSRF-TOKEN=100%', '100%'],
    ['with an equals sign in it', 'XSRF-TOKEN=a=b=', 'a=b='],
    ['the first of two', 'XSRF-TOKEN=near; XSRF-TOKEN=far', 'near'],
    ['another case', 'xsrf-token=abc', undefined],
    ['a longer name', 'MY-XSRF-TOKEN=abc; XSRF-TOKEN2=x', undefined],
    ['in the value of another', 'a=XSRF-TOKEN=abc', undefined],
    ['empty', 'XSRF-TOKEN=', undefined],
    ['without a value', 'XSRF-TOKEN', undefined],
    ['no cookies', '', undefined],
  ])('is read from a cookie: %s', async (_, cookies, value) => {
    page(cookies)
    expect(await sent({ cookie: 'XSRF-TOKEN', header: 'x-xsrf-token' })).toEqual(value ? { 'x-xsrf-token': value } : {})
  })

  it('is read anew for each send, and takes the place of a stale one', async () => {
    const scheme = cookie({ csrf: { cookie: 't' } })
    const headers = new Headers({ 'x-csrf-token': 'stale' })
    for (const token of ['one', 'two']) {
      page(`t=${token}`)
      await scheme.attach(headers, NONE, { method: 'POST', url: new URL('https://app.test/') })
      expect(headers.get('x-csrf-token')).toBe(token)
    }
  })

  it.each(['csrf-token', 'a"b]', "it's", 'back\\slash'])('is read from <meta name=%j>', async (name) => {
    page('', { [name]: 'from the page' })
    expect(await sent({ meta: name })).toEqual({ 'x-csrf-token': 'from the page' })
    expect(await sent({ meta: `${name}2` })).toEqual({})
  })

  it.each<[string, CsrfOptions]>([
    ['a cookie', { cookie: 't' }],
    ['a meta', { meta: 't' }],
  ])('is not there where there is no document, nor one with %s', async (_, csrf) => {
    expect(await sent(csrf)).toEqual({})
    vi.stubGlobal('document', {})
    expect(await sent(csrf)).toEqual({})
  })

  it.each([
    ['a text', () => 't', 't'],
    ['a promise', async () => 't', 't'],
    ['null', () => null, undefined],
    ['a promise of nothing', async () => undefined, undefined],
    ['nothing yet', () => '', undefined],
  ])('comes from a function: %s', async (_, token, value) => {
    expect(await sent({ token })).toEqual(value ? { 'x-csrf-token': value } : {})
  })

  it('makes no promise where its source makes none', () => {
    const request = { method: 'POST', url: new URL('https://app.test/') }
    expect(cookie({ csrf: { token: () => 't' } }).attach(new Headers(), NONE, request)).toBeUndefined()
  })

  it.each<unknown>(['hunter2\r\nx: y', 'hunter2\n', 'hunter2\0', 'hunter2é', 'hunter2€', { hunter2: 1 }, true])(
    'E1 R14 %j is refused without being shown',
    async (token) => {
      const error = await rejectionOf(sent({ token: async () => token as string }))
      expect(error).toMatchObject({ name: 'AuthError', code: 'invalid-token' })
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2')
      page(`t=${encodeURIComponent(String(token))}`)
      if (/[^ -~]/.test(String(token))) {
        expect(await rejectionOf(sent({ cookie: 't' }))).toMatchObject({ code: 'invalid-token' })
      }
    },
  )
})

describe("a refresher's fetch", () => {
  const seen: Array<[unknown, RequestInit | undefined]> = []
  const bare: typeof fetch = async (input, init) => {
    seen.push([input, init])
    return new Response()
  }
  const isOurs = ({ origin }: URL): boolean => origin === 'https://app.test'
  const refresherFetch = () => {
    seen.length = 0
    return cookie({ csrf: { token: 't' } }).refresherFetch?.(bare, { tokens: null, isOurs }) ?? fetch
  }

  it('C9 carries the header to our origins, by the method of the request', async () => {
    const send = refresherFetch()
    await send('https://app.test/refresh', { method: 'POST', headers: { accept: 'a/b' }, body: 'b' })
    await send(new Request('https://app.test/refresh', { method: 'PUT', headers: { accept: 'a/b' } }))
    await send('https://app.test/session')
    const headers = seen.map(([, init]) => Object.fromEntries(init?.headers as Headers))
    expect(headers).toEqual([{ accept: 'a/b', 'x-csrf-token': 't' }, { accept: 'a/b', 'x-csrf-token': 't' }, {}])
    expect(seen[0]?.[1]).toMatchObject({ method: 'POST', body: 'b' })
  })

  it('C9 leaves requests to others as they are', async () => {
    const init = { method: 'POST', body: 'b' }
    await refresherFetch()('https://auth.test/token', init)
    expect(seen).toEqual([['https://auth.test/token', init]])
    expect(seen[0]?.[1]).toBe(init)
  })

  it('sends cookies where the request leaves that open', async () => {
    const send = refresherFetch()
    await send('https://app.test/refresh')
    await send('https://app.test/refresh', { credentials: 'omit' })
    await send(new Request('https://app.test/refresh', { credentials: 'omit' }))
    expect(seen.map(([, init]) => init?.credentials)).toEqual(['include', 'omit', undefined])
  })
})

describe('options', () => {
  it.each<[string, unknown]>([
    ['credentials that send no cookies', { credentials: 'omit' }],
    ['credentials that are none', { credentials: true }],
    ['csrf: true', { csrf: true }],
    ['csrf: null', { csrf: null }],
    ['no source', { csrf: {} }],
    ['two sources', { csrf: { cookie: 'a', meta: 'b' } }],
    ['three sources', { csrf: { cookie: 'a', meta: 'b', token: 'c' } }],
    ['a source without a name', { csrf: { cookie: '' } }],
    ['a function as a name', { csrf: { meta: () => 't' } }],
    ['a token that no header takes', { csrf: { token: 'a\nb' } }],
    ['a number as token', { csrf: { token: 7 } }],
    ['the header of credentials', { csrf: { token: 't', header: 'Authorization' } }],
    ['a header of the platform', { csrf: { token: 't', header: 'cookie' } }],
    ['a header that is none', { csrf: { token: 't', header: 'x csrf' } }],
    ['isSentOnReads that is only truthy', { csrf: { token: 't', isSentOnReads: 'yes' } }],
    ['isCsrfFailure that is no function', { isCsrfFailure: /csrf/ }],
  ])('refuses %s', (_, options) => {
    expect(() => cookie(options as CookieOptions)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
  })

  it('refuses unknown ones', () => {
    const code = { code: 'ERR_UNKNOWN_OPTION' }
    expect(() => cookie({ crsf: false } as object)).toThrow(expect.objectContaining(code))
    expect(() => cookie({ csrf: { cokie: 'a' } as CsrfOptions })).toThrow(expect.objectContaining(code))
  })

  it('O4 C9 a polluted prototype adds no token, no header and no reads', async () => {
    const polluted = {
      csrf: { token: 'evil' },
      token: 'evil',
      header: 'x-evil',
      isSentOnReads: true,
      credentials: 'omit',
    }
    for (const [name, value] of Object.entries(polluted)) {
      Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true })
    }
    try {
      expect(cookie().headers).toEqual([])
      page('t=mine')
      expect(await sent({ cookie: 't' })).toEqual({ 'x-csrf-token': 'mine' })
      expect(await sent({ cookie: 't' }, 'GET')).toEqual({})
    } finally {
      for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name)
    }
  })
})

const html = (body: string, head = ''): string => `<!DOCTYPE html>
<html><head><title>403 Forbidden</title>${head}</head><body>${body}</body></html>`
const answer = (status: number, body: BodyInit | null, type = 'text/html; charset=utf-8'): Response =>
  new Response(body, { status, headers: { 'content-type': type } })
const json = (status: number, body: unknown): Response => answer(status, JSON.stringify(body), 'application/json')
const problem = (status: number, body: unknown): Response =>
  answer(status, JSON.stringify(body), 'application/problem+json')
const reasonFor = async (response: Response, options?: CookieOptions): Promise<unknown> =>
  cookie(options).denialReason?.(response)

describe('a refusal for CSRF', () => {
  it.each<[string, () => Response]>([
    ['Laravel', () => json(419, { message: 'CSRF token mismatch.' })],
    ['Laravel, its page', () => answer(419, html('<h1>419</h1><p>Page Expired</p>'))],
    [
      'Django',
      () =>
        answer(403, html('<h1>Forbidden <span>(403)</span></h1>\n<p>CSRF verification failed. Request aborted.</p>')),
    ],
    ['Django REST framework', () => json(403, { detail: 'CSRF Failed: CSRF token missing.' })],
    ['Rails, its debug page', () => answer(422, html('<h1>ActionController::InvalidAuthenticityToken</h1>'))],
    [
      'Rails, JSON',
      () =>
        json(422, {
          status: 422,
          error: 'Unprocessable Content',
          exception: '#<ActionController::InvalidAuthenticityToken>',
        }),
    ],
    ['Rails, its words', () => json(422, { error: "Can't verify CSRF token authenticity." })],
    ['csurf', () => answer(403, html('<pre>ForbiddenError: invalid csrf token<br> &nbsp; at csrf</pre>'))],
    ['csurf, its code', () => json(403, { error: { code: 'EBADCSRFTOKEN' } })],
    ['Fastify', () => json(403, { statusCode: 403, code: 'FST_CSRF_INVALID_TOKEN', error: 'Forbidden', message: 'x' })],
    [
      'Spring Boot',
      () =>
        json(403, {
          status: 403,
          error: 'Forbidden',
          message: "Invalid CSRF Token 'null' was found on the request parameter '_csrf' or header 'X-CSRF-TOKEN'.",
        }),
    ],
    [
      'Spring, no session',
      () => json(403, { message: 'Could not verify the provided CSRF token because your session was not found.' }),
    ],
    ['gorilla/csrf', () => answer(403, 'Forbidden - CSRF token invalid\n', 'text/plain; charset=utf-8')],
    [
      'gorilla/csrf without a type',
      () => new Response(new TextEncoder().encode('Forbidden - CSRF token not found in request'), { status: 403 }),
    ],
    ['Go', () => answer(403, 'cross-origin request detected from Sec-Fetch-Site header\n', 'text/plain')],
    ['SvelteKit and Astro', () => answer(403, 'Cross-site POST form submissions are forbidden', 'text/plain')],
    ['Symfony', () => json(422, { errors: ['The CSRF token is invalid. Please try to resubmit the form.'] })],
    ['Flask-WTF', () => answer(400, html('<h1>Bad Request</h1>\n<p>The CSRF session token is missing.</p>'))],
    [
      'ASP.NET in development',
      () => problem(400, { title: 'Bad Request', detail: 'Invalid anti-forgery token found when reading parameter' }),
    ],
    ['a problem by its type', () => problem(403, { type: 'urn:example:problem:csrf', title: 'No' })],
    ['a code of one word', () => json(403, { error: 'csrf' })],
    ['SAP', () => new Response(null, { status: 403, headers: { 'x-csrf-token': 'Required' } })],
    [
      'words across inline markup and lines',
      () => answer(403, html('<p>The <b>CSRF</b>\n<code>token</code> is missing</p>')),
    ],
  ])('D1 is known: %s', async (_, make) => {
    const response = make()
    expect(await reasonFor(response)).toBe('csrf')
    expect(response.bodyUsed).toBe(false)
  })

  it.each<[string, () => Response]>([
    [
      'a token in the head',
      () =>
        answer(
          403,
          html(
            '<p>You may not.</p>',
            '<meta name="csrf-token" content="invalid"><meta name="csrf-param" content="authenticity_token">',
          ),
        ),
    ],
    [
      'a token in a form',
      () => answer(403, html('<form><input type="hidden" name="_csrf" value="missing"></form><p>Invalid role</p>')),
    ],
    ['texts in a script', () => answer(403, html('<p>No</p><script>t={csrf:"Invalid CSRF token"}</script>'))],
    ['texts in a script that does not end', () => answer(403, html('<p>No</p><script>t={csrf:"Invalid CSRF token"}'))],
    ['a comment', () => answer(403, html('<p>No</p><!-- <p>CSRF token missing</p> -->'))],
    ['a template', () => answer(403, html('<template><p>CSRF token missing</p></template><p>No</p>'))],
    ['a menu', () => answer(403, html('<a>CSRF</a><a>Failed jobs</a><p>You may not.</p>'))],
    ['a word about it', () => answer(403, html('<p>Protected against CSRF. Your role is missing.</p>'))],
    [
      'the next token',
      () => json(403, { error: 'forbidden', message: 'You may not', csrfToken: 'csrf-invalid', csrf_token: 'csrf' }),
    ],
    ['what somebody wrote', () => json(403, { error: 'forbidden', post: { title: 'The CSRF token is invalid' } })],
    ['a problem of another type', () => problem(403, { type: 'about:blank', title: 'Forbidden', instance: '/csrf' })],
    ['Spring Boot, which hides it', () => json(403, { status: 403, error: 'Forbidden', path: '/csrf' })],
    ['a validation error', () => json(422, { errors: { title: ['is missing'] } })],
    ['a 404', () => answer(404, 'CSRF token missing', 'text/plain')],
    ['a 500', () => json(500, { message: 'CSRF token missing' })],
    ['an image', () => answer(403, 'CSRF token missing', 'image/png')],
    ['nothing', () => new Response(null, { status: 403 })],
    [
      'JSON nested without an end',
      () => answer(403, `${'{"error":'.repeat(3000)}"csrf"${'}'.repeat(3000)}`, 'application/json'),
    ],
    ['more than 64 KiB', () => answer(403, `CSRF token missing${' '.repeat(65_536)}`, 'text/plain')],
    [
      'a token of its own that is no demand',
      () => new Response(null, { status: 403, headers: { 'x-csrf-token': 'requiredABC' } }),
    ],
  ])('D1 is not seen in a plain refusal: %s', async (_, make) => {
    const response = make()
    expect(await reasonFor(response)).toBeUndefined()
    expect(response.bodyUsed).toBe(false)
  })

  it('D2 leaves the body to the caller, one that has been read alone, and does not wait for one that does not end', async () => {
    const response = json(403, { error: 'csrf' })
    await reasonFor(response)
    expect(await response.json()).toEqual({ error: 'csrf' })
    expect(await reasonFor(response)).toBeUndefined()

    vi.useFakeTimers()
    const endless = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('CSRF ')) })
    const reason = reasonFor(answer(403, endless, 'text/plain'))
    await vi.advanceTimersByTimeAsync(1000)
    vi.useRealTimers()
    expect(await reason).toBeUndefined()
  })

  it.each(['<', '<script', '<!--', 'csrf ', 'csrf', '<!-- --', 'invalid', 'invalid csr', ' \n', '<b'])(
    'E4 is judged in linear time: 64 KiB of %j',
    async (unit) => {
      const body = unit.repeat(65_000 / unit.length)
      const startedAt = performance.now()
      await reasonFor(answer(403, body))
      expect(performance.now() - startedAt).toBeLessThan(250)
    },
  )

  it('E4 is judged in linear time: a word of 64 KiB in JSON', async () => {
    const startedAt = performance.now()
    const response = json(403, { message: `${'csrf'.repeat(16_000)} x` })
    expect(await reasonFor(response)).toBeUndefined()
    expect(performance.now() - startedAt).toBeLessThan(250)
  })
})

describe('isCsrfFailure', () => {
  const unclear = (): Response => json(403, { error: 'Forbidden' })

  it('says so of answers that do not, and may read them', async () => {
    const isCsrfFailure = async (response: Response): Promise<boolean> =>
      ((await response.json()) as { error: string }).error === 'Forbidden'
    const response = unclear()
    expect(await reasonFor(response, { isCsrfFailure })).toBe('csrf')
    expect(await response.json()).toEqual({ error: 'Forbidden' })
    expect(await reasonFor(json(500, { error: 'Forbidden' }), { isCsrfFailure })).toBe('csrf')
  })

  it('is the last word, unless it has none', async () => {
    const expired = (): Response => new Response(null, { status: 419 })
    expect(await reasonFor(expired(), { isCsrfFailure: () => false })).toBeUndefined()
    expect(await reasonFor(expired(), { isCsrfFailure: () => undefined })).toBe('csrf')
    expect(await reasonFor(unclear(), { isCsrfFailure: () => 'yes' as unknown as boolean })).toBeUndefined()
  })

  it.each<[string, () => boolean | Promise<boolean>]>([
    [
      'throws',
      () => {
        throw new Error('mine')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('mine')
      },
    ],
  ])('counts as false where it %s', async (_, isCsrfFailure) => {
    expect(await reasonFor(json(403, { error: 'csrf' }), { isCsrfFailure })).toBeUndefined()
  })

  it('D2 has a second, and keeps nothing of the body', async () => {
    vi.useFakeTimers()
    let cancelled = false
    const cancel = (): void => {
      cancelled = true
    }
    const response = answer(403, new ReadableStream({ cancel }), 'text/plain')
    const reason = reasonFor(response, { isCsrfFailure: () => new Promise(() => {}) })
    await vi.advanceTimersByTimeAsync(1000)
    vi.useRealTimers()
    expect(await reason).toBeUndefined()
    await response.body?.cancel()
    expect(cancelled).toBe(true)
  })
})
