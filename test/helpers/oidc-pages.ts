/**
 * The pages that a person meets at the authorization server of the tests: who are you, may this program do that, good bye. Plain
 * forms, which a browser and the user of user-agent.ts both fill in.
 */
import Provider, { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'

export const WEAK = 'urn:acr:weak'
export const STRONG = 'urn:acr:strong'

/** @param body the insides of the page; nothing here comes from a request, so nothing is escaped */
const page = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>`

/** `ago` is how long ago this login was made, in seconds: one that is too old for `max_age` without anybody having waited. */
const loginPage = (isStrongAsked: boolean): string =>
  page(
    'Sign in',
    `<form method="post"><input name="account" id="account" autofocus><input name="ago" value="0">
      <button name="choice" value="login">Sign in</button>
      ${isStrongAsked ? '<button name="choice" value="strong">Sign in with a key</button>' : ''}
      <button name="choice" value="deny">No</button></form>`,
  )

const consentPage = page(
  'Allow it?',
  '<form method="post"><button name="choice" value="consent">Yes</button><button name="choice" value="deny">No</button></form>',
)

export const showLogout = (ctx: KoaContextWithOIDC, form: string): void => {
  ctx.body = page('Sign out?', `${form}<button form="op.logoutForm" name="logout" value="yes">Yes</button>`)
}

/** Where a code was refused, or the person refused it, the page is the end: no second try. */
export const showCodeInput = (ctx: KoaContextWithOIDC, form: string, refusal?: { error: string }): void => {
  if (refusal) showError(ctx, refusal)
  else ctx.body = page('Which device?', `${form}<button form="op.deviceInputForm">Go on</button>`)
}

export const showCodeConfirm = (ctx: KoaContextWithOIDC, form: string): void => {
  ctx.body = page(
    'This device?',
    `${form}<button form="op.deviceConfirmForm">Yes</button>
      <button form="op.deviceConfirmForm" name="abort" value="yes">No</button>`,
  )
}

export const showDone = (ctx: KoaContextWithOIDC): void => {
  ctx.body = page('Done', '<p id="done">You can close this page.</p>')
}

export const showError = (ctx: KoaContextWithOIDC, { error }: { error: string }): void => {
  ctx.type = 'html'
  ctx.body = page('Refused', `<p id="error">${error.replace(/[^a-z_]/g, '')}</p>`)
}

/** Asks for a login too where `acr_values` name one that the session is not, once for each request (RFC 9470 §5). */
export function loginPolicy(): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base()
  const isTooWeak = ({ oidc }: KoaContextWithOIDC): boolean => {
    const asked = oidc.params?.acr_values
    if (typeof asked !== 'string' || oidc.result?.login) return false
    return !asked.split(' ').includes(String(oidc.acr))
  }
  policy.get('login')?.checks.add(new interactionPolicy.Check('acr_values', 'a stronger login is asked for', isTooWeak))
  return policy
}

/** Serves `/interaction/…`: shows the page for what is asked, and takes what the person chose. */
export function serveInteractions(provider: Provider): void {
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next()
    const { prompt, params, session, grantId } = await provider.interactionDetails(ctx.req, ctx.res)
    if (ctx.method === 'GET') {
      const isStrongAsked = String(params.acr_values).includes(STRONG)
      ctx.type = 'html'
      ctx.body = prompt.name === 'login' ? loginPage(isStrongAsked) : consentPage
      return
    }
    const form = new URLSearchParams(await bodyOf(ctx.req))
    const result =
      form.get('choice') === 'deny'
        ? { error: 'access_denied', error_description: 'the person said no' }
        : prompt.name === 'login'
          ? loginFrom(form)
          : { consent: { grantId: await grant(provider, { prompt, params, session, grantId }) } }
    const isMerged = prompt.name !== 'login'
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: isMerged }))
    ctx.status = 303
  })
}

function loginFrom(form: URLSearchParams) {
  const ts = Math.floor(Date.now() / 1000) - Number(form.get('ago') ?? 0)
  const acr = form.get('choice') === 'strong' ? STRONG : WEAK
  return { login: { accountId: form.get('account') ?? '', acr, ts } }
}

type Interaction = Pick<
  Awaited<ReturnType<Provider['interactionDetails']>>,
  'prompt' | 'params' | 'session' | 'grantId'
>

/** Grants all that is asked for. */
async function grant(provider: Provider, { prompt, params, session, grantId }: Interaction): Promise<string> {
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  const given =
    known ?? new provider.Grant({ accountId: String(session?.accountId), clientId: String(params.client_id) })
  const { missingOIDCScope, missingResourceScopes = {} } = prompt.details as {
    missingOIDCScope?: string[]
    missingResourceScopes?: Record<string, string[]>
  }
  if (missingOIDCScope) given.addOIDCScope(missingOIDCScope.join(' '))
  for (const [resource, scopes] of Object.entries(missingResourceScopes))
    given.addResourceScope(resource, scopes.join(' '))
  return given.save()
}

async function bodyOf(request: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
