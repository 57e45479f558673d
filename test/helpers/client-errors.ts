/**
 * What HTTP and OAuth clients throw when the token endpoint says no: the same answer in the shape of each, as seen with ky 2.1,
 * axios 1.21, ofetch 1.5, gaxios 8.3 (google-auth-library 11), oauth4webapi 3.8, got 16 and simple-oauth2 5.1.
 */
import ky from 'ky'

export interface TokenAnswer {
  status: number
  /** An object is sent as JSON. */
  body: unknown
  headers?: Record<string, string>
}

/** Errors that say which status they are for. */
export const errorsWithStatus: Record<string, (answer: TokenAnswer) => unknown> = {
  async ky(answer) {
    const fetch = async () => responseOf(answer)
    return ky('https://auth.example/token', { fetch, retry: 0 }).then(
      () => 'ky threw nothing',
      (error) => error,
    )
  },
  axios({ status, body, headers }) {
    const response = { status, data: parsed(body), headers: { ...headers }, config: {}, request: {} }
    return failure('AxiosError', `Request failed with status code ${status}`, {
      isAxiosError: true,
      code: status < 500 ? 'ERR_BAD_REQUEST' : 'ERR_BAD_RESPONSE',
      status,
      response,
    })
  },
  async ofetch(answer) {
    const response = responseOf(answer)
    await response.text()
    const { status } = answer
    const error = failure('FetchError', `[POST] "https://auth.example/token": ${status}`, {})
    const members = { response, data: parsed(answer.body), status, statusCode: status }
    for (const [name, value] of Object.entries(members)) Object.defineProperty(error, name, { get: () => value })
    return error
  },
  async gaxios(answer) {
    const { status, body } = answer
    const response = responseOf(answer)
    await response.text()
    // The Headers of node-fetch, which are not those of the platform.
    const headers = { get: (name: string) => answer.headers?.[name] ?? null, has: () => false }
    const { error } = Object(body)
    return failure('GaxiosError', error ?? `Request failed with status code ${status}`, {
      response: Object.defineProperties(response, { data: { value: parsed(body) }, headers: { value: headers } }),
      code: String(status),
      status,
      error: undefined,
      cause: error ? { message: error, code: status, status: error } : undefined,
    })
  },
  'a thrown Response': (answer) => responseOf(answer),
  'a thrown Response of another fetch': foreignResponse,
  'a Response that nobody has read, on an error': (answer) =>
    failure('Error', 'The refresh failed', { response: responseOf(answer) }),
  '{ status, body }': ({ status, body, headers }) => ({ status, body: parsed(body), headers }),
  '{ response: { status, data } }': ({ status, body, headers }) => ({
    response: { status, data: parsed(body), headers: new Headers(headers) },
  }),
  'axios, asked for text': ({ status, body, headers }) =>
    failure('AxiosError', `Request failed with status code ${status}`, {
      status,
      response: { status, data: text(body), headers: { ...headers } },
    }),
}

/** Errors that name the OAuth error; their status is nowhere, or not where a status is looked for. */
export const errorsWithoutStatus: Record<string, (answer: TokenAnswer) => unknown> = {
  async oauth4webapi(answer) {
    const response = responseOf(answer)
    await response.text()
    return failure('ResponseBodyError', 'server responded with an error in the response body', {
      cause: answer.body,
      code: 'OAUTH_RESPONSE_BODY_ERROR',
      ...Object(answer.body),
      status: answer.status,
      response,
    })
  },
  got: ({ status, body, headers }) =>
    failure('HTTPError', `Request failed with status code ${status}`, {
      code: 'ERR_NON_2XX_3XX_RESPONSE',
      response: { statusCode: status, headers: { ...headers }, body: text(body) },
    }),
  'simple-oauth2': ({ status, body }) =>
    failure('Error', `Response Error: ${status}`, {
      isBoom: true,
      data: { isResponseError: true, payload: parsed(body), headers: {} },
      output: { statusCode: status },
    }),
  'a message that begins with it': ({ body }) => new Error(`${Object(body).error}: the server said no`),
  'an error whose code it is': ({ body }) => failure('Error', 'no', { code: Object(body).error }),
  'an error whose cause names it': ({ body }) => new Error('The refresh failed', { cause: body }),
}

const responseOf = ({ status, body, headers }: TokenAnswer): Response =>
  typeof body === 'object'
    ? Response.json(body, { status, headers: headers ?? {} })
    : new Response(String(body), { status, headers: { 'content-type': 'text/html', ...headers } })

const text = (body: unknown): string => (typeof body === 'object' ? JSON.stringify(body) : String(body))
const parsed = (body: unknown): unknown => body

const failure = (name: string, message: string, members: object): Error =>
  Object.assign(new Error(message), { name }, members)

/** As undici the package, node-fetch or another realm make them: the same members, another class. */
function foreignResponse(answer: TokenAnswer): unknown {
  const response = responseOf(answer)
  return {
    status: answer.status,
    ok: false,
    headers: { get: (name: string) => response.headers.get(name) },
    get bodyUsed() {
      return response.bodyUsed
    },
    get body() {
      return response.body
    },
    clone: () => foreignResponse(answer),
    text: () => response.text(),
    json: () => response.json(),
  }
}
