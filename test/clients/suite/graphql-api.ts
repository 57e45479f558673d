/**
 * A small GraphQL server: queries by GET and POST, mutations, and a subscription, as server-sent events or in multipart. What it
 * forbids is a 403 for `reports`, and for `audit` the 200 that many servers say everything with.
 */
import { buildSchema, GraphQLError, graphql, parse, subscribe } from 'graphql'
import { forbidden, LINES, type Routes, type Signals, shownInParts, streamOf } from './world.ts'

const schema = buildSchema(`
  type Item { id: ID! name: String! }
  type Query { item(id: ID!): Item! reports: [String!]! audit: [String!]! }
  type Mutation { send(text: String!): String! }
  type Subscription { lines: String! broken: String! }
`)

function refuse(): never {
  throw new GraphQLError('This takes reports:read', { extensions: { code: 'FORBIDDEN' } })
}

const rootValue = {
  item: ({ id }: { id: string }) => ({ id, name: `Item ${id}` }),
  send: ({ text }: { text: string }) => text,
  reports: refuse,
  audit: refuse,
  async *lines() {
    for (const lines of LINES) yield { lines }
  },
  async *broken() {
    yield { broken: 'one\n' }
  },
}

type BodyOf = (parts: readonly string[]) => ReadableStream<Uint8Array>

interface Operation {
  query: string
  variables?: Record<string, unknown> | null
}

export function graphqlRoutes(signals: Signals): Routes {
  const answer = async (request: Request, { query, variables }: Operation): Promise<Response> => {
    const accept = request.headers.get('accept') ?? ''
    if (query.trimStart().startsWith('subscription')) {
      const bodyOf: BodyOf = query.includes('broken')
        ? (parts) => streamOf(parts, breakOff)
        : (parts) => shownInParts(parts, signals)
      return stream(await resultsOf(query), accept, bodyOf)
    }
    const result = await graphql({ schema, source: query, rootValue, variableValues: variables ?? {} })
    const headers = { 'content-type': mediaTypeOf(accept) }
    if (!result.errors?.some(({ path }) => path?.[0] === 'reports')) return Response.json(result, { headers })
    const challenge = forbidden().headers.get('www-authenticate') ?? ''
    return Response.json(result, { status: 403, headers: { ...headers, 'www-authenticate': challenge } })
  }
  return {
    'POST /graphql': async (request) => answer(request, await request.json()),
    'GET /graphql': (request) => {
      const { searchParams } = new URL(request.url)
      const variables = JSON.parse(searchParams.get('variables') ?? '{}')
      return answer(request, { query: searchParams.get('query') ?? '', variables })
    },
  }
}

function breakOff(): never {
  throw new Error('The connection is lost')
}

/** As GraphQL over HTTP has it, for those who ask for it. */
const mediaTypeOf = (accept: string): string =>
  accept.includes('application/graphql-response+json') ? 'application/graphql-response+json' : 'application/json'

async function resultsOf(query: string): Promise<unknown[]> {
  const results = await subscribe({ schema, document: parse(query), rootValue })
  if (!(Symbol.asyncIterator in results)) return [results]
  const all: unknown[] = []
  for await (const result of results) all.push(result)
  return all
}

function stream(results: readonly unknown[], accept: string, bodyOf: BodyOf): Response {
  if (accept.includes('text/event-stream')) {
    const events = results.map((result) => `event: next\ndata: ${JSON.stringify(result)}\n\n`)
    const headers = { 'content-type': 'text/event-stream' }
    return new Response(bodyOf([...events, 'event: complete\ndata:\n\n']), { headers })
  }
  const boundary = '\r\n--graphql'
  const [first = '', ...others] = results.map(
    (payload) => `\r\ncontent-type: application/json\r\n\r\n${JSON.stringify({ payload })}${boundary}`,
  )
  const headers = { 'content-type': 'multipart/mixed; boundary="graphql"; subscriptionSpec=1.0' }
  return new Response(bodyOf([boundary + first, ...others, '--\r\n']), { headers })
}
