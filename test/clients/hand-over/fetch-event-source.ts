import { type FetchEventSourceInit, fetchEventSource } from '@microsoft/fetch-event-source'
import { type AuthFetch, retryUnlessAuth } from 'relatch'

export const connect = (api: AuthFetch, url: string) => (path: string, init: FetchEventSourceInit) => {
  let failures = 0
  return fetchEventSource(new URL(path, url).href, {
    ...init,
    fetch: api,
    async onopen(response) {
      if (!response.ok) throw new Error(await response.text(), { cause: response })
      failures = 0
    },
    onerror(error) {
      if (!retryUnlessAuth(failures++, error)) throw error
    },
  })
}
