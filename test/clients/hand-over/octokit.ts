import { Octokit } from '@octokit/core'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) => new Octokit({ request: { fetch: api }, baseUrl: url })
