import { GetObjectCommand, PutObjectCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import { FetchHttpHandler } from '@smithy/fetch-http-handler'
import { isAuthError } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/aws-sdk.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { timeoutDuringRefresh } from './suite/own-settings.ts'
import { LINES, type Routes, type Signals, shownInParts, textOf } from './suite/world.ts'

/** A gateway before S3: what was put comes back as the ETag. */
const routes = (signals: Signals): Routes => ({
  'GET /texts/:key': () => new Response(shownInParts(LINES, signals)),
  'PUT /messages/:key': async (request) =>
    new Response(null, { headers: { etag: `"${encodeURIComponent(await request.text())}"` } }),
  'GET /reports/:key': () =>
    new Response('<Error><Code>AccessDenied</Code><Message>This takes reports:read</Message></Error>', {
      status: 403,
      headers: {
        'content-type': 'application/xml',
        'www-authenticate': 'Bearer error="insufficient_scope", scope="reports:read"',
      },
    }),
})

const get = (Bucket: string, Key: string) => new GetObjectCommand({ Bucket, Key })

describeClient({
  name: 'AWS SDK',
  package: '@aws-sdk/client-s3',
  handOver: 'aws-sdk.ts',
  needs: 'a `signer` that signs nothing ([known way](https://github.com/aws/aws-sdk-js-v3/issues/2321))',
  mind: [
    'This is for a gateway that takes tokens. A request with a signature (SigV4) brings its own `Authorization`, which relatch leaves alone: no token, no recovery.',
    'The `signer` that signs nothing is [the known way](https://github.com/aws/aws-sdk-js-v3/issues/2321) to send without a signature; S3 looks for credentials all the same, hence the unused ones.',
    'What relatch rejects comes through as it is and is not tried again, whatever `maxAttempts` says.',
    'Its `requestTimeout`, off by default, counts the wait for a refresh or a login, and it tries twice more after one: set it above `refreshTimeoutMs`.',
  ],
  connect,
  routes,
  async get(client, abortSignal) {
    const { Body } = await client.send(get('items', '1'), { abortSignal })
    return JSON.parse((await Body?.transformToString()) ?? '')
  },
  async post(client, text) {
    const { ETag = '' } = await client.send(new PutObjectCommand({ Bucket: 'messages', Key: '1', Body: text }))
    return decodeURIComponent(ETag.replaceAll('"', ''))
  },
  deny: (client) => client.send(get('reports', '1')),
  denied(error) {
    expect(error).toBeInstanceOf(S3ServiceException)
    expect(error).toMatchObject({ name: 'AccessDenied', $metadata: { httpStatusCode: 403 } })
    return (error as Error).message
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  download: async (client, sawPart) =>
    textOf((await client.send(get('texts', 'lines.txt'))).Body?.transformToWebStream(), sawPart),
  also(shows) {
    shows('R7 what relatch rejects comes through as it is', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      expect(isAuthError(await rejectionOf(client.send(get('items', '1'))))).toBe(true)
    })

    shows('A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () =>
        client.send(get('items', '1'), { requestTimeout: 500 }).then(({ Body }) => Body?.transformToString()),
      )
      expect(error).toHaveProperty('name', 'TimeoutError')
    })

    shows('O3 a request with a signature of its own goes as it is, without recovery', async (world) => {
      const client = new S3Client({
        requestHandler: new FetchHttpHandler({ customFetch: world.api }),
        endpoint: world.url,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: { accessKeyId: 'mine', secretAccessKey: 'secret' },
      })
      await expect(client.send(get('items', '1'))).rejects.toMatchObject({ $metadata: { httpStatusCode: 401 } })
      expect(world.arrivals.map(({ headers }) => headers.authorization)).toEqual([
        expect.stringMatching(/^AWS4-HMAC-SHA256 Credential=mine\//),
      ])
      expect(world.server.stats.refreshAttempts).toBe(0)
    })
  },
})
