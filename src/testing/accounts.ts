/** Who there is: users with their passwords and roles, the scopes that roles bring, and the OAuth clients. */
import type { Settings } from './auth-server-options.ts'
import { misuse } from './misuse.ts'

export interface Client {
  id: string
  secret?: string
  scopes: readonly string[]
}

export interface Accounts {
  has(user: string): boolean
  /** @throws TypeError `ERR_UNKNOWN_USER`, for tests that misspell one */
  mustHave(user: string): void
  isPassword(user: string, password: string): boolean
  rolesOf(user: string): readonly string[]
  setRoles(user: string, roles: readonly string[]): void
  scopesOf(user: string): readonly string[]
  /** The client of that id, 'anyone' where any will do, null where there is no such client. */
  client(id: string | null): Client | 'anyone' | null
}

const DEFAULT_CLIENTS = { service: { secret: 'service', scopes: ['items:read', 'reports:read'] } }

export function createAccounts(settings: Settings): Accounts {
  const users = new Map(
    Object.entries(settings.users).map(([name, { password = name, roles = [] }]) => [name, { password, roles }]),
  )
  const scopes = new Map(Object.entries(settings.scopes))
  const clients = new Map(Object.entries(settings.clients ?? DEFAULT_CLIENTS))
  const mustHave = (user: string): void => {
    if (!users.has(user)) throw misuse('ERR_UNKNOWN_USER', `a user out of: ${[...users.keys()].join(', ')}`)
  }
  const rolesOf = (user: string): readonly string[] => users.get(user)?.roles ?? []
  return {
    has: (user) => users.has(user),
    mustHave,
    isPassword: (user, password) => users.get(user)?.password === password,
    rolesOf,
    setRoles(user, roles) {
      mustHave(user)
      const before = users.get(user)
      users.set(user, { password: before?.password ?? user, roles: [...roles] })
    },
    scopesOf: (user) => [...new Set(rolesOf(user).flatMap((role) => scopes.get(role) ?? []))],
    client(id) {
      const client = id === null ? undefined : clients.get(id)
      if (id !== null && client) return { scopes: [], ...client, id }
      return settings.clients === undefined ? 'anyone' : null
    },
  }
}
