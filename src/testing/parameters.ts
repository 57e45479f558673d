/** The parameters of a request to an endpoint: a form as RFC 6749 has it, or JSON as everybody else does. */

/** By name, without the empty ones (RFC 6749 §3.1: as if left out); null where the body is neither, or names one twice. */
export async function readParameters(request: Request): Promise<ReadonlyMap<string, string> | null> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  const text = await request.text()
  if (type === 'application/json') return fromJson(text)
  if (type === 'application/x-www-form-urlencoded') return fromForm(text)
  return text === '' ? new Map() : null
}

function fromForm(text: string): Map<string, string> | null {
  const pairs = [...new URLSearchParams(text)]
  const parameters = new Map(pairs)
  return parameters.size === pairs.length ? withoutEmpty(pairs) : null
}

function fromJson(text: string): Map<string, string> | null {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return null
    return withoutEmpty(Object.entries(body).filter((pair): pair is [string, string] => typeof pair[1] === 'string'))
  } catch {
    return null
  }
}

const withoutEmpty = (pairs: ReadonlyArray<[string, string]>): Map<string, string> =>
  new Map(pairs.filter(([, value]) => value !== ''))

/** The items of a space-separated list. */
export const words = (list: string | undefined): string[] => list?.split(' ').filter((word) => word !== '') ?? []
