import { expect, it } from 'vitest'
import { describeApp } from './describe-app.ts'

// Angular listens to the back button in a task of its own, when the login that nobody wanted has ended.
describeApp('angular', { back: 'login' }, (signedIn) => {
  it('interceptors before it have run: the header against forged requests is there, on both sends', async () => {
    const visitor = await signedIn('/orders')
    await visitor.page.evaluate(() => {
      // biome-ignore lint/suspicious/noDocumentCookie: as a server would set it.
      document.cookie = 'XSRF-TOKEN=canary'
      const transport = globalThis.fetch
      const sent: (string | null)[] = []
      Object.assign(globalThis, { sent })
      globalThis.fetch = (input, init) => {
        const { method, headers } = new Request(input, init)
        if (method === 'POST') sent.push(headers.get('x-xsrf-token'))
        return transport(input, init)
      }
    })
    visitor.server.expireAccessTokens()
    await visitor.types('item', 'Milk')
    await visitor.presses('Add')
    await visitor.sees('Milk', 'li')
    expect(visitor.answers('POST /api/orders')).toEqual([401, 201])
    const sent = await visitor.page.evaluate(() => (globalThis as unknown as { sent: (string | null)[] }).sent)
    // Between the two, the refresh.
    expect(sent).toEqual(['canary', null, 'canary'])
    expect(visitor.reports).toEqual([])
  })
})
