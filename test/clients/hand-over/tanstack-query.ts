import { QueryClient } from '@tanstack/query-core'
import { type AuthFetch, retryUnlessAuth } from 'relatch'

export function connect(api: AuthFetch, url: string) {
  async function request(path: string, init?: RequestInit) {
    const response = await api(new URL(path, url), init)
    if (!response.ok) throw new Error(`HTTP ${response.status}`, { cause: response })
    return response.json()
  }

  return new QueryClient({
    defaultOptions: {
      queries: { queryFn: ({ queryKey, signal }) => request(`${queryKey[0]}`, { signal }), retry: retryUnlessAuth },
      mutations: { mutationFn: (body) => request('/messages', { method: 'POST', body: JSON.stringify(body) }) },
    },
  })
}
