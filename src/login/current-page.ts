/** Where the user is, as a path to come back to: what a login left in the address is not part of it (L3). */

const LEFT_BY_LOGIN = /^\/?(code|state|error.*|.*_token)$/

/** The page's path, query and fragment, for a login to come back to; '/' outside a browser. */
export function currentPage(): string {
  const { location } = globalThis as { location?: Location }
  if (!location) return '/'
  const { pathname, search, hash } = new URL(location.href)
  // Two slashes at the start would make it another host's address to whoever navigates there.
  return withoutLoginAnswer(pathname.replace(/^[/\\]*/, '/') + search + hash)
}

/**
 * A path without `code`, `state`, `error*` and `*_token` in its query, or in the query of a hash router's route; and without a
 * fragment that is such an answer. Saved and followed again, they would end the next login, or land in a log. All the rest
 * stays byte for byte.
 */
export function withoutLoginAnswer(path: string): string {
  const [, place = '', query = '', route = '', pairs = ''] = /^([^?#]*)(\?[^#]*)?(?:(#[^?]*)(\?.*)?)?$/.exec(path) ?? []
  // `#errors` is a heading of the page, not an answer.
  const isAnswer = route.includes('=') && isLeft(route.slice(1))
  const fragment = isAnswer ? '' : route + kept(pairs)
  return place + kept(query) + (fragment === '#' ? '' : fragment)
}

/** A query that begins with `?`, less the pairs that a login left there; nothing where nothing is left. */
function kept(query: string): string {
  const pairs = query.slice(1).split('&')
  const rest = pairs.filter((pair) => !isLeft(pair)).join('&')
  return rest && `?${rest}`
}

const isLeft = (pairs: string): boolean =>
  [...new URLSearchParams(pairs).keys()].some((name) => LEFT_BY_LOGIN.test(name))
