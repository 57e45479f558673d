import OpenAI from 'openai'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) =>
  new OpenAI({
    fetch: api,
    baseURL: `${url}/v1`,
    // It does not start without a key, and sends none where the header is null.
    apiKey: 'unused',
    defaultHeaders: { Authorization: null },
  })
