/**
 * Makes the clients that consist of generated code: `node generate.ts` reads suite/openapi.json and writes generated/hey-api/ and
 * generated/typed-openapi.ts. Quick, offline, and the same each time.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import path from 'node:path'
import { generateFile, mapOpenApiEndpoints } from 'typed-openapi'

// Our compiler options are stricter than what the generators have written for.
const UNCHECKED = '// @ts-nocheck\n'
const folder = path.join(import.meta.dirname, 'generated')
const input = path.join(import.meta.dirname, 'suite/openapi.json')

// hey-api takes the compiler's API, which TypeScript 7 has not got (hey-api#4235); the package above this one has TypeScript 6.
const parentURL = import.meta.resolve('../../package.json')
registerHooks({
  resolve: (name, context, next) => next(name, name === 'typescript' ? { ...context, parentURL } : context),
})
const { createClient } = await import('@hey-api/openapi-ts')

await createClient({
  input,
  output: { path: path.join(folder, 'hey-api'), module: { extension: '.ts' }, header: UNCHECKED },
  plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
  logs: { level: 'silent', file: false },
})

writeFileSync(
  path.join(folder, 'typed-openapi.ts'),
  UNCHECKED + generateFile(mapOpenApiEndpoints(JSON.parse(readFileSync(input, 'utf8')))),
)
