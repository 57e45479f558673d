import Anthropic from '@anthropic-ai/sdk'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) =>
  new Anthropic({
    fetch: api,
    baseURL: url,
    // With a key it looks for no other credentials, and sends none where the header is null.
    apiKey: 'unused',
    defaultHeaders: { Authorization: null },
  })
