import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import type { AuthFetch } from 'relatch'
import { Demo } from '../suite/connect-service.ts'

export const connect = (api: AuthFetch, baseUrl: string) =>
  createClient(Demo, createConnectTransport({ baseUrl, fetch: api }))
