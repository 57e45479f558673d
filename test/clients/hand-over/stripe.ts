import type { AuthFetch } from 'relatch'
import Stripe from 'stripe'

export function connect(api: AuthFetch, url: string) {
  const { hostname: host, port, protocol } = new URL(url)
  return new Stripe('', {
    httpClient: Stripe.createFetchHttpClient(api),
    // In place of a key, and adds nothing.
    authenticator: async () => {},
    ...{ host, port, protocol: protocol === 'http:' ? 'http' : 'https' },
  })
}
