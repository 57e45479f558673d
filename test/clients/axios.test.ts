import axios, { AxiosError, isAxiosError, isCancel } from 'axios'
import { isAuthError } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/axios.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'

describeClient({
  name: 'axios',
  package: 'axios',
  handOver: 'axios.ts',
  mind: [
    "`env.fetch` is there from axios 1.12 on, and needs `adapter: 'fetch'`.",
    'What relatch rejects is the `cause` of its `AxiosError`, whose `code` is the same.',
    'Its `timeout`, off by default, counts the wait for a refresh or a login: set it above `refreshTimeoutMs`.',
    'An `Authorization` in its `defaults` or by `auth` is left alone and gets no recovery: leave it out.',
    'It keeps every `env.fetch` for as long as the program runs: make no instance for each user of a server.',
  ],
  connect,
  get: async (client, signal) => (await client.get('/items/1', { signal })).data,
  post: async (client, text) => (await client.post<{ text: string }>('/messages', { text })).data.text,
  deny: (client) => client.get('/reports'),
  denied(error) {
    expect(isAxiosError(error)).toBe(true)
    expect(error).toMatchObject({ code: AxiosError.ERR_BAD_REQUEST, status: 403 })
    return isAxiosError(error) && error.response?.data
  },
  aborted: (error) => expect(isCancel(error)).toBe(true),
  async download(client) {
    const lines = async () => new Response((await client.get('/lines', { responseType: 'stream' })).data).text()
    const first = await lines()
    return [first, await lines()]
  },
  also(shows) {
    shows(
      'POST',
      'B1 R2 without a Request class it hands over a URL and options, and recovers alike',
      async (world) => {
        // @ts-expect-error axios documents null for platforms without a Request class; its types do not know it.
        const client = axios.create({ adapter: 'fetch', env: { fetch: world.api, Request: null }, baseURL: world.url })
        world.server.expireAccessTokens()
        const texts = [1, 2, 3, 4, 5].map((each) => `grüße ${each}`)
        const answers = await Promise.all(texts.map((text) => client.post('/messages', { text })))
        expect(answers.map(({ data }) => data.text)).toEqual(texts)
        expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1 })
        expect(world.arrivals).toHaveLength(10)
      },
    )

    shows('abort', 'A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () => client.get('/items/1', { timeout: 500 }))
      expect(error).toHaveProperty('code', AxiosError.ETIMEDOUT)
    })

    shows('outage', 'R7 the AuthError is the cause of its AxiosError', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const error = await rejectionOf(client.get('/items/1'))
      expect(isAxiosError(error)).toBe(true)
      expect(error).toHaveProperty('code', 'refresh-unavailable')
      expect(isAxiosError(error) && isAuthError(error.cause)).toBe(true)
    })

    shows('GET', 'O3 an Authorization of its defaults goes as it is, without recovery', (world, client) => {
      client.defaults.headers.common.Authorization = 'Bearer mine'
      return keepsOwnAuthorization(world, 'Bearer mine', () => client.get('/items/1'))
    })

    shows('GET', 'O3 what its auth option sets goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, `Basic ${btoa('me:mine')}`, () =>
        client.get('/items/1', { auth: { username: 'me', password: 'mine' } }),
      ),
    )
  },
})
