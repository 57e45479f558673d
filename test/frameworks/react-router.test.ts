import { expect, it } from 'vitest'
import { describeApp } from './describe-app.ts'

describeApp('react-router', { back: 'home' }, (signedIn) => {
  it("L2 a form's own action waits for the login, and the login page is shown all the same", async () => {
    const visitor = await signedIn('/orders')
    visitor.server.revokeSession()
    await visitor.presses('Some cake')
    await visitor.isAt('/login?returnTo=%2Forders')
    await visitor.signsIn('viewer')
    await visitor.isAt('/orders')
    await visitor.sees('Cake', 'li')
    expect(visitor.answers('POST /api/orders')).toEqual([401, 201])
    expect(visitor.reports).toEqual([])
  })
})
