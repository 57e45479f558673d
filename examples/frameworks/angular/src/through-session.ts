import {
  HttpErrorResponse,
  HttpHeaders,
  type HttpInterceptorFn,
  type HttpRequest,
  HttpResponse,
} from '@angular/common/http'
import { inject } from '@angular/core'
import { type AuthFetch, isAuthError } from 'relatch'
import { Observable } from 'rxjs'
import { API } from './api'

/**
 * The last interceptor: HttpClient's requests are sent through the session, and answered as Angular's own backend does it, which
 * is not asked any more. Without progress events, and without the `timeout` of a request.
 */
export const throughSession: HttpInterceptorFn = (request) => {
  const api = inject(API)
  return new Observable((observer) => {
    const left = new AbortController()
    send(api, request, left.signal).then(
      (response) => {
        observer.next(response)
        observer.complete()
      },
      (error) => observer.error(error),
    )
    return () => left.abort()
  })
}

async function send(
  api: AuthFetch,
  request: HttpRequest<unknown>,
  signal: AbortSignal,
): Promise<HttpResponse<unknown>> {
  const { method, urlWithParams: url, keepalive, cache, priority, mode, redirect, referrer, integrity } = request
  const credentials = request.withCredentials ? 'include' : request.credentials
  const body = request.serializeBody()
  const options = { credentials, keepalive, cache, priority, mode, redirect, referrer, integrity }
  let response: Response
  try {
    response = await api(url, { ...options, method, headers: headersOf(request), body, signal } as RequestInit)
  } catch (error) {
    // What a callback has thrown may say a status, as Denied does. An AuthError is no answer of this API.
    const { status = 0 } = isAuthError(error) ? {} : (error as { status?: number })
    throw new HttpErrorResponse({ error, status, url })
  }
  const { status, statusText } = response
  const answer = { status, statusText, url: response.url || url, headers: new HttpHeaders(response.headers) }
  const content = await read(response, request.responseType).catch((error: unknown) => {
    throw new HttpErrorResponse({ ...answer, error })
  })
  if (!response.ok) throw new HttpErrorResponse({ ...answer, error: content })
  return new HttpResponse({ ...answer, body: content })
}

function headersOf(request: HttpRequest<unknown>): Headers {
  const headers = new Headers({ accept: 'application/json, text/plain, */*' })
  const type = request.detectContentTypeHeader()
  if (type !== null) headers.set('content-type', type)
  for (const name of request.headers.keys()) headers.set(name, request.headers.getAll(name)?.join(',') ?? '')
  return headers
}

async function read(response: Response, type: HttpRequest<unknown>['responseType']): Promise<unknown> {
  if (type === 'arraybuffer') return response.arrayBuffer()
  if (type === 'blob') return response.blob()
  const text = await response.text()
  if (type === 'text') return text
  // What some servers put before JSON against script tags on other sites.
  const json = text.replace(/^\)\]\}',?\n/, '')
  if (json === '') return null
  try {
    return JSON.parse(json)
  } catch (error) {
    if (response.ok) throw error
    return json
  }
}
