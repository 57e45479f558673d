/** Which names a header of the app's choice may have: those that reach the server as they are, and mean nothing else on the way. */

/** Whether a value is one word of a header, RFC 9110 §5.6.2. */
export const isToken = (value: unknown): value is string =>
  typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value)

/**
 * Headers that frame, route or describe a message, that pick its method or its credentials, and all that a browser drops in
 * silence (the Fetch standard's forbidden request-headers).
 */
const TAKEN =
  /^(accept|access-control-|content-|if-|proxy-|sec-|x-forwarded-|x-http-method)|^(cache-control|connection|cookie2?|date|dnt|expect|forwarded|host|keep-alive|max-forwards|origin|pragma|range|referer|set-cookie2?|te|trailer|transfer-encoding|upgrade|user-agent|via|x-method-override)$/i

/** Whether a value is the name of a header that may carry what a server is to be shown. `authorization` may. */
export const isHeaderName = (value: unknown): value is string => isToken(value) && !TAKEN.test(value)
