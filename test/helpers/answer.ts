/** Answers that a server may give. */
import type { Answering } from './recorder.ts'

export const ok = (body: BodyInit | null = 'ok'): Response => new Response(body)

export const json = (value: unknown, init?: ResponseInit): Response => Response.json(value, init)

/** @param challenge the `WWW-Authenticate` header */
export const unauthorized = (challenge = 'Bearer error="invalid_token"'): Response =>
  new Response('who are you?', { status: 401, headers: { 'www-authenticate': challenge } })

export const forbidden = (body: BodyInit | null = 'no', headers: HeadersInit = {}): Response =>
  new Response(body, { status: 403, headers })

/** An API that takes these access tokens and no others. */
export const accepting =
  (...tokens: string[]): Answering =>
  ({ credential }) =>
    tokens.some((token) => credential === `Bearer ${token}`) ? ok() : unauthorized()
