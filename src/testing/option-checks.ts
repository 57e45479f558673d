/** Finds a wrong option when the server is made, and says what was expected. */
import { type AuthServerOptions, DEFAULTS, type Settings } from './auth-server-options.ts'
import { misuse } from './misuse.ts'

type Check = [isGood: (value: unknown) => boolean, expected: string]

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
const isText = (value: unknown): boolean => typeof value === 'string'
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText)
const isCount = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
const isUrl = (value: unknown): boolean => URL.canParse(String(value)) && /^https?:/i.test(String(value))
const isLifetime = (value: unknown): boolean => value === null || isText(value) || typeof value === 'number'
const isUser = (value: unknown): boolean => hasOnly(value, { password: isText, roles: isTexts })
const isClient = (value: unknown): boolean => hasOnly(value, { secret: isText, scopes: isTexts })
const isRoute = (value: unknown): boolean => typeof value === 'function' || (isRecord(value) && isHandler(value.handle))
const isHandler = (value: unknown): boolean => typeof value === 'function'

function hasOnly(value: unknown, members: Record<string, (value: unknown) => boolean>): boolean {
  if (!isRecord(value)) return false
  return Object.entries(value).every(([name, member]) => member === undefined || members[name]?.(member) === true)
}

const everyOne = (isGood: (value: unknown) => boolean) => (value: unknown) =>
  isRecord(value) && Object.values(value).every(isGood)

const oneOf = (...choices: unknown[]): Check => [
  (value) => choices.includes(value),
  choices.map((choice) => (typeof choice === 'string' ? `'${choice}'` : String(choice))).join(' or '),
]

const A_SWITCH = oneOf(true, false)
const A_DURATION: Check = [isCount, 'a number of milliseconds, 0 or more']

const CHECKS: Record<keyof AuthServerOptions, Check> = {
  url: [isUrl, 'an absolute http: or https: URL'],
  users: [everyOne(isUser), 'an object of { password?: string, roles?: string[] } by user name'],
  scopes: [everyOne(isTexts), 'an object of string[] by role'],
  clients: [everyOne(isClient), 'an object of { secret?: string, scopes?: string[] } by client id'],
  accessTokenTtlMs: A_DURATION,
  refreshTokenTtlMs: A_DURATION,
  accessTokenFormat: oneOf('opaque', 'jwt'),
  expiresIn: [isLifetime, 'a number of seconds, a string, or null'],
  rotation: A_SWITCH,
  reuseDetection: A_SWITCH,
  graceMs: A_DURATION,
  idToken: A_SWITCH,
  cookies: oneOf(true, false, 'session'),
  cors: A_SWITCH,
  stepUp: [
    (value) => hasOnly(value, { acrValues: isTexts, maxAgeSeconds: isCount, isNeverMet: A_SWITCH[0] }),
    '{ acrValues?: string[], maxAgeSeconds?: number, isNeverMet?: boolean }',
  ],
  routes: [everyOne(isRoute), 'an object of handlers, or of { handle }, by method and path'],
  logLimit: [isCount, 'a number of requests, 0 or more'],
}

/** Checks the options and fills in the defaults. An option given as `undefined` counts as not given. */
export function readOptions(options: AuthServerOptions): Settings {
  if (typeof options !== 'object' || options === null)
    throw misuse('ERR_AUTH_SERVER_OPTIONS', 'createAuthServer to be given an object')
  const given: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(CHECKS, name) ? CHECKS[name as keyof AuthServerOptions] : undefined
    if (!check) {
      throw misuse('ERR_UNKNOWN_OPTION', `one of ${Object.keys(CHECKS).join(', ')}; \`${name}\` is not an option`)
    }
    if (value === undefined) continue
    if (!check[0](value)) throw misuse('ERR_AUTH_SERVER_OPTION', `\`${name}\` to be ${check[1]}`)
    given[name] = value
  }
  return { ...DEFAULTS, ...given, stepUp: { ...DEFAULTS.stepUp, ...options.stepUp } }
}
