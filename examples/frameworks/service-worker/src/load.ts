import { authFailureOf } from 'relatch'
import { api } from './api.ts'

/** An answer that is none to work with; `failure.ts` shows it. */
export class HttpError extends Error {
  readonly response: Response

  constructor(response: Response) {
    super(`The API has answered ${response.status}`)
    this.response = response
  }

  get requiredScopes(): readonly string[] {
    const failure = authFailureOf(this.response)
    return failure && 'requiredScopes' in failure ? failure.requiredScopes : []
  }
}

export async function load<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await api(path, init)
  if (!response.ok) throw new HttpError(response)
  return response.json()
}
