// The requests that a client would make, spelled out.
import type { IssuedTokens } from '../../../src/testing/index.ts'

export const bearing = ({ access_token }: IssuedTokens): { headers: { authorization: string } } => ({
  headers: { authorization: `Bearer ${access_token}` },
})

export const form = (parameters: Record<string, string>): RequestInit => ({
  method: 'POST',
  body: new URLSearchParams(parameters),
})

export const jsonBody = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

export const refreshing = ({ refresh_token }: IssuedTokens): RequestInit =>
  form({ grant_type: 'refresh_token', refresh_token: refresh_token ?? '' })

/** Status and parsed body. */
export async function answer(response: Promise<Response>): Promise<[status: number, body: unknown]> {
  const { status, ...rest } = await response.then(async (got) => ({ status: got.status, text: await got.text() }))
  return [status, rest.text === '' ? null : JSON.parse(rest.text)]
}

export async function tokensOf(response: Promise<Response>): Promise<IssuedTokens> {
  return (await response).json() as Promise<IssuedTokens>
}
