/**
 * Where credentials may go: decided on the parsed URL, by exact origin, never on a string (O1). The URL that was decided on is
 * the one that is sent to.
 */
import { misuse } from '../errors.ts'

export type Origins = Array<string | URL> | ((url: URL) => boolean)

const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/

/** https, or http that does not leave this machine. */
export const isSecure = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname))

/** The parsed URL where it is secure and holds no userinfo; null for anything else. */
export function secureUrl(value: unknown, base?: string): URL | null {
  const isAddress = (typeof value === 'string' && value !== '') || value instanceof URL
  const url = isAddress && URL.canParse(value, base) ? new URL(value, base) : null
  return url !== null && isSecure(url) && url.username === '' && url.password === '' ? url : null
}

/** The URL of the page or the worker, or undefined where there is none (Node). Read at each call: pages move on. */
export function pageUrl(): string | undefined {
  const { document, location } = globalThis as { document?: Document; location?: Location }
  return document?.baseURI ?? location?.href
}

/**
 * Makes the test that every request passes through.
 *
 * @throws TypeError `ERR_ORIGINS_REQUIRED`, `ERR_ORIGIN` or `ERR_INSECURE_ORIGIN`
 */
export function originTest(
  origins: Origins | undefined,
  baseUrl: string | undefined,
  allowInsecure: boolean,
): (url: URL) => boolean {
  const isAllowed = (url: URL): boolean =>
    (isSecure(url) || (allowInsecure && url.protocol === 'http:')) && url.username === '' && url.password === ''
  if (typeof origins === 'function') return (url) => isAllowed(url) && origins(url) === true

  const listed = origins ?? [baseUrl ?? pageUrl()].filter((url) => url !== undefined)
  if (listed.length === 0) {
    throw misuse(
      'ERR_ORIGINS_REQUIRED',
      'Expected `baseUrl` or `origins`: outside a browser nothing else says who may get credentials',
    )
  }
  const prefixes = listed.map((entry) => {
    const url = URL.canParse(entry) ? new URL(entry) : null
    if (
      url === null ||
      !/^https?:$/.test(url.protocol) ||
      url.hostname.includes('*') ||
      url.username !== '' ||
      url.password !== ''
    ) {
      throw misuse(
        'ERR_ORIGIN',
        'Expected `origins` and `baseUrl` to be http(s) URLs such as https://api.example, without userinfo or wildcards',
      )
    }
    if (!isAllowed(url)) {
      throw misuse(
        'ERR_INSECURE_ORIGIN',
        'Expected https, or http on loopback; `allowInsecure: true` lets plain http through',
      )
    }
    return `${url.origin}/`
  })
  // A serialised URL starts with its origin and a slash exactly when that is its origin and it holds no userinfo.
  return ({ href }) => prefixes.some((prefix) => href.startsWith(prefix))
}
