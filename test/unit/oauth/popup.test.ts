// A sign-in in a window: what crosses between the two pages, who is believed, and how it ends. Real channels, a window by hand.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LoginNeed } from '../../../src/index.ts'
import { fakeTime, flush, pass } from '../../helpers/fake-time.ts'
import { mapStorage } from '../../helpers/map-storage.ts'
import { rejectionOf } from '../../helpers/rejection.ts'
import { type AuthServer, answerTo, authServer, clientOf, grantTokens, sessionOf } from './auth-server.ts'

/** A window, as far as its opener sees one. */
class Popup {
  closed = false
  opener: unknown = 'the app'
  url: URL | null = null
  location = {
    replace: (url: string): void => {
      this.url = new URL(url)
    },
  }
  close(): void {
    this.closed = true
  }
}

let popups: Popup[] = []
let isBlocked = false

fakeTime()
beforeEach(() => {
  popups = []
  isBlocked = false
  vi.stubGlobal('sessionStorage', mapStorage())
  vi.stubGlobal('location', { href: 'https://app.example/orders', origin: 'https://app.example' })
  vi.stubGlobal('open', () => {
    if (isBlocked) return null
    const popup = new Popup()
    popups.push(popup)
    return popup
  })
  vi.stubGlobal('close', vi.fn())
})
afterEach(() => vi.unstubAllGlobals())

const channelOf = (url: URL): BroadcastChannel => new BroadcastChannel(`relatch-popup:${url.searchParams.get('state')}`)

/** Once the channels have carried what was rung, and the challenge is made: those are real, and none of the timers. */
async function carried(isDone: () => boolean): Promise<void> {
  const deadline = process.hrtime.bigint() + 2_000_000_000n
  while (!isDone() && process.hrtime.bigint() < deadline) await flush()
  expect(isDone()).toBe(true)
}

async function opened(server: AuthServer, options: Parameters<typeof clientOf>[1] = {}) {
  const client = clientOf(server, { interaction: 'popup', scope: 'openid', ...options })
  const api = sessionOf()
  const work = client.signIn(api)
  const [popup] = popups as [Popup]
  const settled = { is: false }
  work.then(
    () => (settled.is = true),
    () => (settled.is = true),
  )
  await carried(() => popup.url !== null)
  const url = popup.url as URL
  grantTokens(server, () => url)
  return { client, api, work, popup, url, settled }
}

describe('signIn in a popup', () => {
  it('opens it at once, in the click, and cuts it off from the app', () => {
    void clientOf(authServer(), { interaction: 'popup' }).signIn(sessionOf())
    expect(popups).toHaveLength(1)
    expect(popups[0]?.opener).toBeNull()
  })

  it('takes the answer of the return page, and no token crosses', async () => {
    const server = authServer()
    const { api, work, popup, url } = await opened(server)
    const heard: unknown[] = []
    const channel = channelOf(url)
    channel.onmessage = ({ data }) => heard.push(data)
    const answer = answerTo(url)
    const onReturnPage = clientOf(server, { interaction: 'popup' }).handleCallback(sessionOf(), { url: answer })
    await carried(() => api.snapshot().status === 'signed-in')
    await work
    expect(api.snapshot().subject).toBe('ann')
    expect(popup.closed).toBe(true)
    await pass(2000)
    expect(await onReturnPage).toEqual({ returnTo: '/' })
    expect(globalThis.close).toHaveBeenCalledOnce()
    expect(JSON.stringify(heard)).not.toContain('at-1')
    expect(heard).toEqual([{ query: answer.search }, { isTaken: true }])
    expect(server.to('/token')).toHaveLength(1)
    channel.close()
  })

  it('P12: leaves nothing in the storage, so that no other page can take the answer', async () => {
    const { url } = await opened(authServer())
    expect(sessionStorage.getItem('relatch:sign-ins')).toBeNull()
    expect(url.searchParams.get('state')).toMatch(/^popup\.[\w-]{43}$/)
  })

  it('waits for a session that does not know yet who holds it, and closes where that cannot be known', async () => {
    const server = authServer()
    for (const isKnown of [true, false]) {
      let [know, fail] = [(): void => {}, (_: Error): void => {}]
      const ready = new Promise<void>((resolve, reject) => {
        know = resolve
        fail = reject
      })
      const client = clientOf(server, { interaction: 'popup', scope: 'openid' })
      const api = Object.assign(sessionOf(), { ready })
      const work = client.signIn(api)
      const popup = popups.at(-1) as Popup
      await carried(() => popup.url !== null)
      const url = popup.url as URL
      grantTokens(server, () => url)
      const before = server.to('/token').length
      void clientOf(server, { interaction: 'popup' }).handleCallback(sessionOf(), { url: answerTo(url) })
      await pass(300)
      expect(server.to('/token')).toHaveLength(before)
      if (isKnown) know()
      else fail(new Error('Not known'))
      await work.catch(() => {})
      expect([api.snapshot().status, popup.closed]).toEqual([isKnown ? 'signed-in' : 'signed-out', true])
    }
  })

  it('ends quietly where the user closes it', async () => {
    const server = authServer()
    const { api, work, popup } = await opened(server)
    popup.close()
    await pass(300)
    await work
    expect(api.snapshot().status).toBe('signed-out')
    expect(server.to('/token')).toEqual([])
  })

  it('goes on where the window only looks closed: a server that isolates itself (COOP) has the focus', async () => {
    const server = authServer()
    const { api, work, popup, url, settled } = await opened(server)
    vi.stubGlobal('document', { hasFocus: () => false })
    popup.closed = true
    await pass(60_000)
    expect(settled.is).toBe(false)
    const channel = channelOf(url)
    channel.postMessage({ query: answerTo(url).search })
    await carried(() => settled.is)
    await work
    expect(api.snapshot().status).toBe('signed-in')
    channel.close()
  })

  it('says so where it was blocked, and asks nobody', async () => {
    isBlocked = true
    const server = authServer()
    const error = await rejectionOf(clientOf(server, { interaction: 'popup' }).signIn(sessionOf()))
    expect(error).toMatchObject({ code: 'authorization-failed', message: expect.stringContaining('from a click') })
    expect(server.asked).toEqual([])
  })

  it('closes it where the server cannot be reached', async () => {
    const server = authServer()
    server.answers['/.well-known/openid-configuration'] = () => new Response('', { status: 500 })
    const error = await rejectionOf(clientOf(server, { interaction: 'popup' }).signIn(sessionOf()))
    expect(error).toMatchObject({ code: 'metadata-refused', retryable: true })
    expect(popups[0]?.closed).toBe(true)
  })

  it('fails where the server says no', async () => {
    const { work, url, settled } = await opened(authServer())
    const failed = rejectionOf(work)
    const channel = channelOf(url)
    channel.postMessage({ query: answerTo(url, { code: null, error: 'access_denied' }).search })
    await carried(() => settled.is)
    expect(await failed).toMatchObject({ code: 'authorization-failed', oauthError: 'access_denied' })
    channel.close()
  })
})

describe('L8: what a channel says is believed only with the shape and the state', () => {
  const hostile: Record<string, (url: URL) => unknown> = {
    'no object': () => 'query',
    nothing: () => null,
    'no text': () => ({ query: 1 }),
    tokens: () => ({ access_token: 'evil', token_type: 'Bearer' }),
    'a foreign state': (url) => ({ query: answerTo(url, { state: 'popup.foreign' }).search }),
    'no state': (url) => ({ query: answerTo(url, { state: null }).search }),
    'two states': (url) => ({ query: `${answerTo(url).search}&state=popup.foreign` }),
    'more than a URL holds': (url) => ({ query: `${answerTo(url).search}&x=${'x'.repeat(20_000)}` }),
  }
  it.each(Object.entries(hostile))('%s', async (_, message) => {
    const server = authServer()
    const { api, url, settled, work, popup } = await opened(server)
    const channel = channelOf(url)
    channel.postMessage(message(url))
    for (let turn = 0; turn < 20; turn++) await flush()
    expect(settled.is).toBe(false)
    expect(server.to('/token')).toEqual([])
    popup.close()
    await pass(300)
    await work
    expect(api.snapshot().status).toBe('signed-out')
    channel.close()
  })

  it('a code of somebody else, with the right state and a wrong issuer', async () => {
    const server = authServer()
    const { work, url, settled } = await opened(server)
    const failed = rejectionOf(work)
    const channel = channelOf(url)
    channel.postMessage({ query: answerTo(url, { iss: 'https://evil.example' }).search })
    await carried(() => settled.is)
    expect(await failed).toMatchObject({ code: 'callback-refused' })
    expect(server.to('/token')).toEqual([])
    channel.close()
  })
})

describe('the return page of a popup', () => {
  const url = (state: string): string => `https://app.example/callback?code=a&state=${state}`

  it('P12: is refused where nobody waits for its answer', async () => {
    const server = authServer()
    const work = rejectionOf(clientOf(server).handleCallback(sessionOf(), { url: url(`popup.${'a'.repeat(43)}`) }))
    await pass(2000)
    expect(await work).toMatchObject({ code: 'callback-refused' })
    expect(globalThis.close).not.toHaveBeenCalled()
    expect(server.asked).toEqual([])
  })

  it.each(['popup.', 'popup.short', `popup.${'a'.repeat(200)}`, `popup.${'a'.repeat(42)}/`])(
    'P12: is refused at once with the state %s',
    async (state) => {
      const work = clientOf(authServer()).handleCallback(sessionOf(), { url: url(encodeURIComponent(state)) })
      expect(await rejectionOf(work)).toMatchObject({ code: 'callback-refused' })
    },
  )
})

describe('a callback of createAuthFetch', () => {
  const request = { method: 'GET', url: 'https://api.example/me' }
  const need = (signal: AbortSignal): LoginNeed => {
    return { reason: 'no-session', request, challenges: [], returnTo: '/orders', signal }
  }

  it('hands over the tokens', async () => {
    const server = authServer()
    const { onLoginRequired } = clientOf(server, { interaction: 'popup', scope: 'openid' })
    const work = onLoginRequired(need(new AbortController().signal)) as Promise<unknown>
    await carried(() => popups[0]?.url !== undefined && popups[0].url !== null)
    const at = popups[0]?.url as URL
    grantTokens(server, () => at)
    const channel = channelOf(at)
    channel.postMessage({ query: answerTo(at).search })
    await carried(() => popups[0]?.closed === true)
    expect(await work).toMatchObject({ access_token: 'at-1' })
    channel.close()
  })

  it('is null where the user closes it, and closes it where the login is no longer needed', async () => {
    const { onLoginRequired } = clientOf(authServer(), { interaction: 'popup' })
    const first = onLoginRequired(need(new AbortController().signal))
    await carried(() => popups[0]?.url != null)
    popups[0]?.close()
    await pass(300)
    expect(await first).toBeNull()
    const unneeded = new AbortController()
    const second = onLoginRequired(need(unneeded.signal))
    await carried(() => popups[1]?.url != null)
    unneeded.abort()
    expect(await second).toBeNull()
    expect(popups[1]?.closed).toBe(true)
  })

  it('L2: stays pending where it was blocked, until somebody has signed in from a click', async () => {
    isBlocked = true
    const { onLoginRequired, onStepUp } = clientOf(authServer(), { interaction: 'popup' })
    const unneeded = new AbortController()
    let isSettled = false
    const work = Promise.resolve(onLoginRequired(need(unneeded.signal))).finally(() => {
      isSettled = true
    })
    await pass(60_000)
    expect(isSettled).toBe(false)
    unneeded.abort()
    expect(await work).toBeNull()
    const { returnTo: _, reason: __, ...more } = need(new AbortController().signal)
    expect(await onStepUp({ ...more, acrValues: [], scopes: [] })).toBeNull()
  })

  it('opens nothing where somebody has just signed in', async () => {
    const { onLoginRequired } = clientOf(authServer(), { interaction: 'popup' })
    expect(await onLoginRequired(need(AbortSignal.abort()))).toBeNull()
    expect(popups).toEqual([])
  })

  it('is null where there is nothing that could open a window', async () => {
    vi.stubGlobal('open', undefined)
    const { onLoginRequired } = clientOf(authServer(), { interaction: 'popup' })
    expect(await onLoginRequired(need(new AbortController().signal))).toBeNull()
  })
})
