import axios, { AxiosError, isAxiosError, isCancel } from 'axios'
import { isAuthError } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/axios.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { TIMEOUT_IS_OFF } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { textOf } from './suite/world.ts'

describeClient({
  name: 'axios',
  package: 'axios',
  handOver: 'axios.ts',
  needs: "`adapter: 'fetch'`, from 1.12 on",
  mind: [
    "`env.fetch` is there from axios 1.12 on, and needs `adapter: 'fetch'`.",
    'What relatch rejects is the `cause` of its `AxiosError`, whose `code` is the same.',
    TIMEOUT_IS_OFF,
    'An `Authorization` in its `defaults` or by `auth` is left alone and gets no recovery: leave it out.',
    'axios keeps every `env.fetch` for as long as the program runs (its fetch adapter has a cache that is never emptied, [noted here](https://github.com/axios/axios/pull/10893)): make no instance for each user of a server.',
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
  download: async (client, sawPart) => textOf((await client.get('/lines', { responseType: 'stream' })).data, sawPart),
  also(shows) {
    shows('B1 R2 without a Request class it hands over a URL and options, and recovers alike', async (world) => {
      // @ts-expect-error axios documents null for platforms without a Request class; its types do not know it.
      const client = axios.create({ adapter: 'fetch', env: { fetch: world.api, Request: null }, baseURL: world.url })
      world.server.expireAccessTokens()
      const texts = [1, 2, 3, 4, 5].map((each) => `grüße ${each}`)
      const answers = await Promise.all(texts.map((text) => client.post('/messages', { text })))
      expect(answers.map(({ data }) => data.text)).toEqual(texts)
      expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1 })
      expect(world.arrivals).toHaveLength(10)
    })

    shows('A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () => client.get('/items/1', { timeout: 1000 }))
      expect(error).toHaveProperty('code', AxiosError.ETIMEDOUT)
    })

    shows('R7 the AuthError is the cause of its AxiosError', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const error = await rejectionOf(client.get('/items/1'))
      expect(isAxiosError(error)).toBe(true)
      expect(error).toHaveProperty('code', 'refresh-unavailable')
      expect(isAxiosError(error) && isAuthError(error.cause)).toBe(true)
    })

    shows('O3 an Authorization of its defaults goes as it is, without recovery', (world, client) => {
      client.defaults.headers.common.Authorization = 'Bearer mine'
      return keepsOwnAuthorization(world, 'Bearer mine', () => client.get('/items/1'))
    })

    shows('O3 what its auth option sets goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, `Basic ${btoa('me:mine')}`, () =>
        client.get('/items/1', { auth: { username: 'me', password: 'mine' } }),
      ),
    )
  },
})
