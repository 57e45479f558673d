import type { AuthFetch } from 'relatch'
import { client } from '../generated/hey-api/client.gen.ts'
import * as sdk from '../generated/hey-api/sdk.gen.ts'

export function connect(api: AuthFetch, url: string) {
  client.setConfig({ baseUrl: url, fetch: api })
  return sdk
}
