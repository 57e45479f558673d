/** What the authorization server of the tests remembers: in memory, one for each server, gone with it. */
import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'

export function oidcStore(): AdapterFactory {
  const records = new Map<string, AdapterPayload>()
  const where = (matches: (payload: AdapterPayload) => boolean, kind: string): string | undefined =>
    [...records].find(([key, payload]) => key.startsWith(`${kind}:`) && matches(payload))?.[0]

  return (kind: string): Adapter => ({
    upsert: async (id, payload) => void records.set(`${kind}:${id}`, payload),
    find: async (id) => records.get(`${kind}:${id}`),
    findByUid: async (uid) => records.get(where((payload) => payload.uid === uid, kind) ?? ''),
    findByUserCode: async (code) => records.get(where((payload) => payload.userCode === code, kind) ?? ''),
    async consume(id) {
      const payload = records.get(`${kind}:${id}`)
      if (payload) payload.consumed = Math.floor(Date.now() / 1000)
    },
    destroy: async (id) => void records.delete(`${kind}:${id}`),
    async revokeByGrantId(grantId) {
      for (const [key, payload] of records) {
        if (key.startsWith(`${kind}:`) && payload.grantId === grantId) records.delete(key)
      }
    },
  })
}
