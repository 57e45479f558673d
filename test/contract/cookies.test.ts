// S1 for cookies: two stores of one app on the cookies of one request, which show what was set; and one where, as h3's do, they go on
// showing what was sent, so that no second one could know of a sign-in.
import { describe, it } from 'vitest'
import { cookieSessions } from '../../src/stores/cookies.ts'
import { describeTokenStore } from '../../src/testing/index.ts'
import { Browser } from '../helpers/cookie-jar.ts'

const runner = { describe, it }
const NAME = '__Host-relatch'
// The suite's largest session has an access token of 16 KiB, which in real requests no server would take.
const sessions = cookieSessions({ secret: 'a secret of more than 32 characters, for tests', maxCookies: 9 })

describeTokenStore(
  'cookieSessions',
  () => {
    const browser = new Browser()
    const cookies = browser.cookies()
    return {
      store: sessions(cookies),
      sibling: () => sessions(cookies),
      corrupt: () => void browser.kept.set(NAME, `${browser.kept.get(NAME)?.slice(0, -2)}AA`),
    }
  },
  runner,
)

describeTokenStore(
  'cookieSessions over cookies that go on showing what was sent',
  () => sessions(new Browser().request({ shows: 'sent' }).cookies),
  runner,
)
