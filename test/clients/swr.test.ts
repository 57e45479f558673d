import { expect } from 'vitest'
import { describeClient } from './suite/describe-client.ts'
import { clientOf, openPageWorld, type PageClient, RejectedInPage } from './suite/page-world.ts'
import { openWorld } from './suite/world.ts'

// A hook takes a component, and that a window: React, SWR and their relatch are in a page of Chromium.
describeClient<PageClient>({
  name: 'SWR',
  package: 'swr',
  handOver: 'swr.ts',
  line: 'fetcher: async (url) => (await api(url)).json()',
  openWorld: (routesOf) => openPageWorld(openWorld, 'swr.ts', routesOf),
  needs:
    'a `fetcher` that throws; no signal ([asked for](https://github.com/vercel/swr/issues/1933)); no stream: an answer is data in its cache',
  mind: [
    '`api` resolves for a 403 and a 500, as any fetch: the `fetcher` has to throw.',
    'By itself SWR tries again for good, after a 401 and a 403 too. `shouldRetryOnError` is not told how often: the limit is `errorRetryCount`.',
    'It has no `AbortSignal` to hand over: a call goes on when its component is gone.',
  ],
  connect: clientOf,
  get: (page) => page.call('get', '/items/1'),
  async post(page, text) {
    const sent = await page.call('post', text)
    return sent instanceof Object && 'text' in sent && sent.text
  },
  deny: (page) => page.call('get', '/reports'),
  denied(error) {
    expect(error).toBeInstanceOf(RejectedInPage)
    expect(error).toMatchObject({ message: 'HTTP 403', inPage: { isRetried: false } })
    return error
  },
  aborted: 'never',
  outageRetries: 3,
})
