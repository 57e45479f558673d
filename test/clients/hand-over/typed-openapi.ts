import type { AuthFetch } from 'relatch'
import { createApiClient } from '../generated/typed-openapi.ts'

export const connect = (api: AuthFetch, baseUrl: string) =>
  createApiClient(
    {
      fetch({ method, url, urlSearchParams, parameters, overrides }) {
        if (urlSearchParams) url.search = urlSearchParams.toString()
        const json = { body: JSON.stringify(parameters?.body), headers: { 'content-type': 'application/json' } }
        return api(url, { method: method.toUpperCase(), ...(parameters?.body !== undefined && json), ...overrides })
      },
    },
    baseUrl,
  )
