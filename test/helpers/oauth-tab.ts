/**
 * A browser tab of one person at one app, for Node: pages that come and go, and what outlives them (the session's store,
 * sessionStorage, the key). A page that navigates is gone; the next one opens at the URL where the person ends up.
 */
import { type AuthFetch, type AuthFetchOptions, createAuthFetch, memoryStore } from '../../src/index.ts'
import { type OAuthClient, type OAuthClientOptions, oauthClient } from '../../src/oauth/index.ts'
import { type DpopScheme, dpop } from '../../src/schemes/dpop.ts'
import { type Deferred, deferred } from './deferred.ts'
import { mapStorage } from './map-storage.ts'
import { collectSecrets, type Secrets } from './oauth-secrets.ts'
import type { TestApi } from './oidc-api.ts'
import type { TestProvider } from './oidc-provider.ts'
import { type Answers, type User, user } from './user-agent.ts'
import { type Watch, watch } from './watch.ts'

const REDIRECT_URI = 'https://app.example/callback'
const POST_LOGOUT_URI = 'https://app.example/signed-out'

export interface TabOptions {
  isDpop?: boolean
  oauth?: Partial<OAuthClientOptions>
  fetch?: Partial<AuthFetchOptions>
}

export interface Page {
  readonly api: AuthFetch
  readonly oauth: OAuthClient
  readonly watch: Watch
  /** Where it navigated to. */
  readonly left: Promise<string>
  /** How often it did. */
  readonly navigations: readonly string[]
}

export interface Tab {
  readonly person: User
  readonly scheme: DpopScheme | undefined
  /** The app, loaded anew. */
  open(): Page
  /** Goes where the page has gone, as the person would, and opens the page where that ends: its URL is the callback's. */
  follow(page: Page, answers?: Answers): Promise<Page & { readonly url: string; readonly visited: URL }>
  /** The same, and the callback is handled. */
  signIn(page: Page, answers?: Answers): Promise<Page & { readonly visited: URL }>
  readonly secrets: Secrets
  /** What all pages have shown of themselves. */
  readonly shown: unknown[]
}

export function openTab(provider: TestProvider, api: TestApi, options: TabOptions = {}): Tab {
  const { isDpop = false } = options
  const store = memoryStore()
  const storage = mapStorage()
  const scheme = isDpop ? dpop() : undefined
  const secrets = collectSecrets()
  const shown: unknown[] = []
  const person = user()
  const transport = secrets.tap(globalThis.fetch)

  const open = (): Page => {
    const left: Deferred<string> = deferred()
    const navigations: string[] = []
    const oauth = oauthClient({
      issuer: provider.issuer,
      clientId: isDpop ? 'spa-dpop' : 'spa',
      redirectUri: REDIRECT_URI,
      postLogoutRedirectUri: POST_LOGOUT_URI,
      scope: 'openid offline_access orders',
      // OpenID Connect Core §11: no offline access without asking.
      parameters: { prompt: 'consent' },
      resource: api.url,
      storage,
      fetch: transport,
      navigate(url) {
        navigations.push(url)
        left.resolve(url)
      },
      ...(scheme && { dpop: scheme }),
      ...options.oauth,
    })
    const session = createAuthFetch({
      baseUrl: api.url,
      store,
      fetch: transport,
      refresh: oauth.refresher,
      onLoginRequired: oauth.onLoginRequired,
      onStepUp: oauth.onStepUp,
      refreshRetries: 0,
      ...(scheme && { scheme }),
      ...options.fetch,
    })
    const page: Page = { api: session, oauth, watch: watch(session), left: left.promise, navigations }
    shown.push(page.watch, session, oauth)
    return page
  }

  const follow: Tab['follow'] = async (page, answers = {}) => {
    const visited = await page.left
    secrets.addUrl(visited)
    const url = await person.authorize(visited, { redirectUri: REDIRECT_URI, ...answers })
    secrets.addUrl(url)
    page.api.dispose()
    return { ...open(), url, visited: new URL(visited) }
  }

  return {
    person,
    scheme,
    open,
    follow,
    async signIn(page, answers) {
      const next = await follow(page, answers)
      await next.oauth.handleCallback(next.api, { url: next.url })
      return next
    },
    secrets,
    shown,
  }
}

/** A request that makes the page leave; its answer is nobody's business, the page is gone. */
export function knock(page: Page, path: string, init?: RequestInit): void {
  page.api(path, init).catch(() => {})
}
