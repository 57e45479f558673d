/** A person without a browser: follows redirects by hand, keeps cookies, fills in the forms of oidc-pages.ts. */

export interface Answers {
  /** Who signs in. Default: alice */
  account?: string
  /** How the person proves it. Default: login */
  with?: 'login' | 'strong'
  /** How long ago they signed in, in seconds. Default: 0 */
  ago?: number
  /** Says no to whatever is asked. */
  isDenying?: boolean
}

export interface User {
  /** Opens the URL and does what the pages ask for, until one leads to `redirectUri`; that URL is the answer. */
  authorize(url: string | URL, answers: Answers & { redirectUri: string }): Promise<string>
  /** The same for pages that lead nowhere (devices). Resolves with the title of the last page. */
  visit(url: string | URL, answers?: Answers): Promise<string>
}

/** More than any login takes. */
const MAX_STEPS = 20

/** One person with one set of cookies: what a session at the authorization server is to a browser. */
export function user(): User {
  const jar = cookieJar()

  const walk = async (start: URL, answers: Answers, end: string | undefined): Promise<string> => {
    let next: { url: URL; form?: URLSearchParams } = { url: start }
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const { url, form } = next
      const response = await fetch(url, {
        redirect: 'manual',
        headers: { cookie: jar.read(url), accept: 'text/html' },
        ...(form && { method: 'POST', body: form }),
      })
      jar.write(url, response.headers.getSetCookie())
      const location = response.headers.get('location')
      const text = await response.text()
      if (location !== null) {
        const target = new URL(location, url)
        if (end !== undefined && target.href.startsWith(end)) return target.href
        next = { url: target }
        continue
      }
      const filled = fillIn(text, url, answers)
      if (filled === null) {
        const title = /<title>(.*?)<\/title>/.exec(text)?.[1] ?? ''
        if (end === undefined) return title
        throw new Error(`Expected to come to ${end}, and am at "${title}" ${/id="error">(.*?)</.exec(text)?.[1] ?? ''}`)
      }
      next = filled
    }
    throw new Error('Expected an end of the redirects')
  }

  return {
    authorize: (url, { redirectUri, ...answers }) => walk(new URL(url), answers, redirectUri),
    visit: (url, answers = {}) => walk(new URL(url), answers, undefined),
  }
}

/** What a person sends off, given the page; null where there is nothing to fill in. */
function fillIn(html: string, url: URL, answers: Answers): { url: URL; form: URLSearchParams } | null {
  const tag = /<form[^>]*>/.exec(html)?.[0]
  if (tag === undefined) return null
  const form = new URLSearchParams()
  for (const [input] of html.matchAll(/<input[^>]*>/g)) {
    const name = attribute(input, 'name')
    if (name !== undefined) form.set(name, attribute(input, 'value') ?? '')
  }
  const offers = (name: string, value: string): boolean => html.includes(`name="${name}" value="${value}"`)
  if (form.has('account')) form.set('account', answers.account ?? 'alice')
  if (form.has('ago')) form.set('ago', String(answers.ago ?? 0))
  if (offers('logout', 'yes')) form.set('logout', 'yes')
  const choice = answers.isDenying ? 'deny' : offers('choice', 'consent') ? 'consent' : (answers.with ?? 'login')
  if (html.includes('name="choice"')) form.set('choice', choice)
  if (answers.isDenying && offers('abort', 'yes')) form.set('abort', 'yes')
  return { url: new URL(attribute(tag, 'action') ?? url, url), form }
}

const attribute = (tag: string, name: string): string | undefined =>
  new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]?.replaceAll('&amp;', '&')

/** Cookies by host, path and name, RFC 6265 as far as one server needs it. */
function cookieJar() {
  const cookies = new Map<string, { host: string; path: string; pair: string }>()
  return {
    read: ({ hostname, pathname }: URL): string =>
      [...cookies.values()]
        .filter(({ host, path }) => host === hostname && pathname.startsWith(path))
        .map(({ pair }) => pair)
        .join('; '),
    write({ hostname: host }: URL, lines: readonly string[]): void {
      for (const line of lines) {
        const [pair = '', ...attributes] = line.split(/; */)
        const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? '/'
        const expires = attributes.find((one) => /^expires=/i.test(one))?.slice(8)
        const key = `${host} ${path} ${pair.split('=')[0]}`
        if (expires !== undefined && Date.parse(expires) < Date.now()) cookies.delete(key)
        else cookies.set(key, { host, path, pair })
      }
    },
  }
}
