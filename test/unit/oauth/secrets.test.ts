// E1: whatever goes wrong, no error holds a code, a verifier, a secret or a token, in no member, cause or stack.
import { describe, expect, it } from 'vitest'
import { exposures, marksIn, NEW, OLD } from '../../helpers/canary.ts'
import { mapStorage } from '../../helpers/map-storage.ts'
import { rejectionOf } from '../../helpers/rejection.ts'
import { type Answer, type Asked, answerTo, authServer, clientOf, json, sessionOf } from './auth-server.ts'

const SECRET = `${OLD.accessToken}`
const CODE = `${OLD.idToken}`

/** Everything that was sent, in the words of an error. */
const quote = ({ form, headers }: Asked): string => `${form} ${JSON.stringify([...headers])}`

const answers: Record<string, Answer> = {
  'a transport that quotes the request': (asked) => {
    throw Object.assign(new TypeError(`fetch failed: ${quote(asked)}`), {
      request: asked,
      cause: new Error(quote(asked)),
    })
  },
  'a server that quotes the request': (asked) => json({ error: 'invalid_grant', error_description: quote(asked) }, 400),
  'a server whose error is the request': (asked) => json({ error: quote(asked) }, 400),
  'a page that quotes the request': (asked) => new Response(quote(asked), { status: 502 }),
  'a challenge that quotes the request': (asked) =>
    new Response(null, { status: 401, headers: { 'www-authenticate': `Basic realm="${asked.form.get('code')}"` } }),
  'tokens of an unknown type': () => json({ ...NEW, token_type: 'mac' }),
  'tokens without an access token': () => json({ ...NEW, access_token: undefined, token_type: 'Bearer' }),
  'an ID token that is none': () => json({ ...NEW, token_type: 'Bearer' }),
  'tokens cut short': () => new Response(JSON.stringify({ ...NEW, token_type: 'Bearer' }).slice(0, -9)),
  'a redirect with tokens': () =>
    new Response(null, { status: 302, headers: { location: `https://evil.example/?t=${NEW.access_token}` } }),
}

describe.each(Object.entries(answers))('%s', (_, answer) => {
  const made = () => {
    const server = authServer()
    server.answers['/token'] = answer
    server.answers['/device'] = answer
    const storage = mapStorage()
    return { storage, client: clientOf(server, { scope: 'openid', clientSecret: SECRET, storage }) }
  }

  it('at the exchange of a code', async () => {
    const { client, storage } = made()
    const url = await client.authorizationUrl()
    const [{ verifier, state, nonce }] = JSON.parse(storage.getItem('relatch:sign-ins') ?? '') as [
      { verifier: string; state: string; nonce: string },
    ]
    const error = await rejectionOf(client.handleCallback(sessionOf(), { url: answerTo(url, { code: CODE }) }))
    const text = exposures(error)
    expect(marksIn(text)).toEqual([])
    for (const secret of [verifier, state, nonce]) expect(text).not.toContain(secret.slice(0, 8))
  })

  it('at a refresh', async () => {
    const { client } = made()
    const context = { reason: 'requested', signal: new AbortController().signal, fetch } as const
    const refreshed = Promise.resolve(client.refresher({ ...context, tokens: { ...OLD } }))
    // Tokens with an ID token that is no good are kept (R11).
    const outcome = await refreshed.then(
      () => null,
      (error: unknown) => error,
    )
    expect(marksIn(exposures(outcome))).toEqual([])
    const fromNothing = Promise.resolve(client.clientCredentials({ ...context, tokens: null }))
    const outcomeOfClient = await fromNothing.then(
      () => null,
      (error: unknown) => error,
    )
    expect(marksIn(exposures(outcomeOfClient))).toEqual([])
  })

  it('at a device code', async () => {
    const { client } = made()
    expect(marksIn(exposures(await rejectionOf(Promise.resolve(client.deviceLogin(() => {})()))))).toEqual([])
  })
})

it('the client itself shows none', () => {
  expect(marksIn(exposures(clientOf(authServer(), { clientSecret: SECRET })))).toEqual([])
})
