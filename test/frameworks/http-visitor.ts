/** A browser as far as a page without scripts needs one: it keeps cookies, follows redirects and sends forms off. */

export interface Page {
  readonly status: number
  /** Where it ended, without the origin. */
  readonly place: string
  readonly html: string
}

export class HttpVisitor {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()
  /** All that has come: bodies, and headers but for the cookies. */
  readonly received: string[] = []
  /** Every Set-Cookie. */
  readonly setCookies: string[] = []

  constructor(origin: string) {
    this.#origin = origin
  }

  /** What the browser would send. */
  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  async fetch(place: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers({ accept: 'text/html', ...(this.cookie && { cookie: this.cookie }) })
    if (init.method === 'POST') headers.set('origin', this.#origin)
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value)
    const response = await fetch(new URL(place, this.#origin), { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) this.#keep(line)
    const shown = [...response.headers].filter(([name]) => name !== 'set-cookie')
    this.received.push(JSON.stringify(shown), await response.clone().text())
    return response
  }

  async open(place: string, init: RequestInit = {}): Promise<Page> {
    let at = place
    let response = await this.fetch(at, init)
    for (let redirects = 0; response.headers.has('location') && redirects < 10; redirects++) {
      const { origin, pathname, search } = new URL(response.headers.get('location') ?? '', new URL(at, this.#origin))
      if (origin !== this.#origin) throw new Error(`Expected to stay here, and was sent to ${origin}`)
      at = pathname + search
      response = await this.fetch(at, init.method === 'POST' ? {} : init)
    }
    return { status: response.status, place: at, html: await response.text() }
  }

  /** Sends the first form of a page: what the page has put in, and what the person types. */
  send({ html, place }: Page, typed: Record<string, string> = {}): Promise<Page> {
    const [form] = /<form\b[\s\S]*?<\/form>/.exec(html) ?? []
    if (form === undefined) throw new Error(`Expected a form at ${place}`)
    const fields = new FormData()
    for (const [input] of form.matchAll(/<input[^>]*>/g)) {
      const name = attribute(input, 'name')
      if (name !== undefined) fields.set(name, attribute(input, 'value') ?? '')
    }
    for (const [name, value] of Object.entries(typed)) fields.set(name, value)
    const [tag = ''] = /<form[^>]*>/.exec(form) ?? []
    const { pathname, search } = new URL(attribute(tag, 'action') || place, new URL(place, this.#origin))
    const isMultipart = attribute(tag, 'enctype') === 'multipart/form-data'
    const body = isMultipart ? fields : new URLSearchParams([...fields] as [string, string][])
    return this.open(pathname + search, { method: 'POST', body })
  }

  /** @param place where the user was going */
  async signIn(user: string, place = '/', password = user): Promise<Page> {
    const login = await this.open(`/login?returnTo=${encodeURIComponent(place)}`)
    return this.send(login, { username: user, password })
  }

  #keep(line: string): void {
    this.setCookies.push(line)
    const [pair = '', ...attributes] = line.split(/; */)
    const [name = '', value = ''] = pair.split(/=(.*)/)
    const isGone = attributes.some(
      (one) => /^max-age=(0|-\d+)$/i.test(one) || (/^expires=/i.test(one) && Date.parse(one.slice(8)) < Date.now()),
    )
    if (isGone) this.#cookies.delete(name)
    else this.#cookies.set(name, value)
  }
}

const attribute = (tag: string, name: string): string | undefined =>
  new RegExp(`\\s${name}="([^"]*)"`, 'i').exec(tag)?.[1]?.replaceAll('&quot;', '"').replaceAll('&amp;', '&')
