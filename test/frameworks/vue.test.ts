import { expect, it } from 'vitest'
import { describeApp } from './describe-app.ts'

describeApp('vue', { back: '401' }, (signedIn) => {
  it('what was typed is still there after a login that something else has asked for', async () => {
    const visitor = await signedIn('/orders')
    await visitor.types('item', 'Half a word')
    visitor.server.revokeSession()
    await visitor.follows('Reports')
    await visitor.isAt('/login?returnTo=%2Freports')
    await visitor.signsIn('viewer')
    await visitor.sees('Not for you', '[role=alert]')
    await visitor.follows('Orders')
    const typed = (field: Element) => (field as HTMLInputElement).value
    expect(await visitor.page.$eval('input[name=item]', typed)).toBe('Half a word')
    expect(visitor.reports).toEqual([])
  })
})
