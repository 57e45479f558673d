import { type AuthFetch, retryUnlessAuth } from 'relatch'
import type { SWRConfiguration } from 'swr'

export function connect(api: AuthFetch, url: string) {
  async function request(path: string, init?: RequestInit) {
    const response = await api(new URL(path, url), init)
    if (!response.ok) throw new Error(`HTTP ${response.status}`, { cause: response })
    return response.json()
  }

  // <SWRConfig value={config}>
  const config: SWRConfiguration = {
    fetcher: (path: string) => request(path),
    shouldRetryOnError: retryUnlessAuth,
    errorRetryCount: 3,
  }
  // useSWRMutation('/messages', send)
  const send = (path: string, { arg }: { arg: unknown }) => request(path, { method: 'POST', body: JSON.stringify(arg) })
  return { config, send }
}
