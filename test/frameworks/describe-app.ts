/** What each app has to show, whatever its framework: the story of a session, in a browser. */
import { describe, expect, it } from 'vitest'
import { useApp, type Visitor } from './app-world.ts'

export interface AppFacts {
  /**
   * What somebody sees who presses the back button on the login page: the page that they came from, where the router changes the
   * URL when the data are there; else the page that they wanted, with its 401, or the login page again.
   */
  back: 'home' | '401' | 'login'
  /** What the framework itself writes to the console of an error that it shows. @default nothing */
  logs?: RegExp
}

/** @param more what this app alone has to show; it gets what signs a visitor in */
export function describeApp(
  name: string,
  { back, logs }: AppFacts,
  more?: (signedIn: (place: string, user?: string) => Promise<Visitor>) => void,
): void {
  describe(name, () => {
    const { visit } = useApp(name, logs)

    const signedIn = async (place: string, user = 'viewer'): Promise<Visitor> => {
      const visitor = await visit()
      await visitor.open(`/login?returnTo=${encodeURIComponent(place)}`)
      await visitor.signsIn(user)
      await visitor.isAt(place)
      await visitor.sees('signed-in', 'header')
      await visitor.remembers()
      return visitor
    }

    it('L1 L3 nobody is signed in: the router goes to the login page, and back', async () => {
      const visitor = await visit()
      await visitor.open('/orders')
      await visitor.isAt('/login?returnTo=%2Forders')
      await visitor.remembers()
      await visitor.signsIn('viewer', 'wrong')
      await visitor.sees('Wrong name or password', '[role=alert]')
      await visitor.signsIn('viewer')
      await visitor.isAt('/orders')
      await visitor.sees('Orders of viewer', 'h1')
      await visitor.sees('signed-in', 'header')
      expect(await visitor.remembers()).toBe(true)
      expect(visitor.reports).toEqual([])
    })

    it('L3 from the login page on to another page: back to that one', async () => {
      const visitor = await visit()
      await visitor.open('/login')
      await visitor.follows('Orders')
      await visitor.isAt('/login?returnTo=%2Forders')
      await visitor.signsIn('viewer')
      await visitor.isAt('/orders')
      await visitor.sees('Orders of viewer', 'h1')
      expect(visitor.reports).toEqual([])
    })

    it('R2 an expired token: one refresh for what is loaded side by side', async () => {
      const visitor = await signedIn('/')
      visitor.server.expireAccessTokens()
      await visitor.follows('Orders')
      await visitor.sees('Orders of viewer', 'h1')
      await visitor.sees('Coffee', 'li')
      expect(visitor.answers('GET /api/me')).toEqual([401, 200])
      expect(visitor.answers('GET /api/orders')).toEqual([401, 200])
      expect(visitor.server.stats).toMatchObject({ refreshAttempts: 1, refreshes: 1, reuses: 0 })
      expect(visitor.reports).toEqual([])
    })

    it('D1 D2 a 403 is shown where the framework shows what went wrong, and the app goes on', async () => {
      const visitor = await signedIn('/orders')
      await visitor.follows('Reports')
      await visitor.sees('Not for you', '[role=alert]')
      await visitor.sees('reports:read', '[role=alert]')
      await visitor.isAt('/reports')
      expect(visitor.answers('GET /api/reports')).toEqual([403])
      expect(visitor.server.stats.refreshAttempts).toBe(0)
      await visitor.follows('Orders')
      await visitor.sees('Orders of viewer', 'h1')
      expect(await visitor.remembers()).toBe(true)
      expect(visitor.reports).toEqual([])
    })

    it('shows the reports to who may read them', async () => {
      const visitor = await signedIn('/reports', 'admin')
      await visitor.sees('Q1', 'li')
      expect(visitor.reports).toEqual([])
    })

    it('R7 an auth server that is down is shown, and costs nobody the session', async () => {
      const visitor = await signedIn('/')
      visitor.server.expireAccessTokens()
      visitor.server.down = true
      await visitor.follows('Orders')
      await visitor.sees('refresh-unavailable', '[role=alert]')
      await visitor.sees('signed-in', 'header')
      visitor.server.heal()
      await visitor.follows('Home')
      await visitor.follows('Orders')
      await visitor.sees('Orders of viewer', 'h1')
      expect(visitor.server.stats).toMatchObject({ refreshes: 1, logins: 1 })
      expect(visitor.reports).toEqual([])
    })

    it('R9 L1 L3 a session that is over: one login, without leaving the page, and on to where the user was going', async () => {
      const visitor = await signedIn('/')
      visitor.server.revokeSession()
      await visitor.follows('Orders')
      await visitor.isAt('/login?returnTo=%2Forders')
      await visitor.signsIn('viewer')
      await visitor.isAt('/orders')
      await visitor.sees('Orders of viewer', 'h1')
      await visitor.sees('Coffee', 'li')
      expect(await visitor.remembers()).toBe(true)
      expect(visitor.server.stats).toMatchObject({ refreshAttempts: 1, logins: 2 })
      expect(visitor.reports).toEqual([])
    })

    it('L2 what was sent when the session ended goes on after the login', async () => {
      const visitor = await signedIn('/orders')
      await visitor.types('item', 'Milk')
      visitor.server.revokeSession()
      await visitor.presses('Add')
      await visitor.isAt('/login?returnTo=%2Forders')
      await visitor.signsIn('viewer')
      await visitor.isAt('/orders')
      await visitor.sees('Milk', 'li')
      expect(visitor.answers('POST /api/orders')).toEqual([401, 201])
      expect(await visitor.remembers()).toBe(true)
      expect(visitor.reports).toEqual([])
    })

    it('the session outlives a reload, and sign-out ends it', async () => {
      const visitor = await signedIn('/')
      await visitor.open('/orders')
      await visitor.sees('Orders of viewer', 'h1')
      expect(visitor.server.stats.logins).toBe(1)
      await visitor.presses('Sign out')
      await visitor.sees('signed-out', 'header')
      await visitor.follows('Home')
      await visitor.follows('Orders')
      await visitor.isAt('/login?returnTo=%2Forders')
      expect(visitor.reports).toEqual([])
    })

    it('L3 who comes back from the login page without a session is asked again, and not for ever', async () => {
      const visitor = await signedIn('/')
      visitor.server.revokeSession()
      await visitor.follows('Orders')
      await visitor.isAt('/login?returnTo=%2Forders')
      await visitor.page.goBack()
      if (back === 'login') {
        await visitor.wasSentToLogin(2)
      } else {
        await visitor.isAt(back === 'home' ? '/' : '/orders')
        if (back === '401') await visitor.sees('401', '[role=alert]')
        await visitor.follows('Home')
        await visitor.sees('Anybody may read this')
        await visitor.follows('Orders')
      }
      await visitor.isAt('/login?returnTo=%2Forders')
      await visitor.wasSentToLogin(2)
      await visitor.follows('Home')
      await visitor.sees('Anybody may read this')
      // The third: a new page, where nothing waits any more.
      await visitor.page.reload()
      await visitor.follows('Orders')
      await visitor.sees('login-loop', '[role=alert]')
      expect(visitor.reports).toEqual([])
    })

    it('L2 who leaves the login page by a link is shown that requests wait for a login', async () => {
      const visitor = await signedIn('/')
      visitor.server.revokeSession()
      await visitor.follows('Orders')
      await visitor.isAt('/login?returnTo=%2Forders')
      await visitor.follows('Home')
      await visitor.sees('Anybody may read this')
      await visitor.sees('login-required', 'header')
      await visitor.follows('Sign in')
      await visitor.isAt('/login')
      await visitor.signsIn('viewer')
      await visitor.isAt('/')
      await visitor.sees('signed-in', 'header')
      await visitor.follows('Orders')
      await visitor.sees('Orders of viewer', 'h1')
      expect(visitor.reports).toEqual([])
    })

    more?.(signedIn)
  })
}
