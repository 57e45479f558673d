import { createHttpHeaders, type HttpClient } from '@azure/core-rest-pipeline'
import { getClient } from '@azure-rest/core-client'
import type { AuthFetch } from 'relatch'

const httpClientOf = (fetch: AuthFetch): HttpClient => ({
  async sendRequest(request) {
    const { url, method, body = null, abortSignal, timeout } = request
    if (body !== null && typeof body !== 'string' && !(body instanceof Blob))
      throw new TypeError('Expected text or a Blob')
    const signals = [
      ...(abortSignal instanceof AbortSignal ? [abortSignal] : []),
      ...(timeout > 0 ? [AbortSignal.timeout(timeout)] : []),
    ]
    const answer = await fetch(url, {
      method,
      headers: request.headers.toJSON(),
      body,
      signal: AbortSignal.any(signals),
    })
    const response = { request, status: answer.status, headers: createHttpHeaders(Object.fromEntries(answer.headers)) }
    const { streamResponseStatusCodes: streams } = request
    return answer.body && (streams?.has(answer.status) || streams?.has(Number.POSITIVE_INFINITY))
      ? { ...response, browserStreamBody: answer.body }
      : { ...response, bodyAsText: await answer.text() }
  },
})

export const connect = (api: AuthFetch, url: string) => getClient(url, { httpClient: httpClientOf(api) })
