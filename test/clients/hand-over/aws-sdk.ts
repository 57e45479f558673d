import { S3Client } from '@aws-sdk/client-s3'
import { FetchHttpHandler } from '@smithy/fetch-http-handler'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) =>
  new S3Client({
    requestHandler: new FetchHttpHandler({ customFetch: api }),
    endpoint: url,
    region: 'us-east-1',
    forcePathStyle: true,
    // No signature: it would take the place of the token. Credentials it wants all the same.
    signer: { sign: async (request) => request },
    credentials: { accessKeyId: 'unused', secretAccessKey: 'unused' },
  })
