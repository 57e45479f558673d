/** The binaries of ../binaries, which npm has installed: Node, Bun, Deno and workerd for this platform. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'

const folder = path.join(import.meta.dirname, '../binaries/node_modules')

export type ProgramName = 'node-22' | 'node-24' | 'node-26' | 'bun' | 'deno' | 'workerd'

/** bun moves its binary from the package of the platform to its own, where npm lets it run scripts. */
const PLACES: Readonly<Record<ProgramName, readonly string[]>> = {
  'node-22': [`node-22-${process.arch}/bin/node`],
  'node-24': [`node-24-${process.arch}/bin/node`],
  'node-26': [`node-26-${process.arch}/bin/node`],
  bun: ['bun/bin/bun.exe', `@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : process.arch}/bin/bun`],
  deno: [`@deno/linux-${process.arch}-glibc/deno`],
  workerd: [`@cloudflare/workerd-linux-${process.arch === 'x64' ? '64' : process.arch}/bin/workerd`],
}

export function findRuntime(name: ProgramName): string {
  const found = PLACES[name].map((place) => path.join(folder, place)).find((place) => existsSync(place))
  if (found !== undefined) return found
  throw new Error(
    `Expected ${name} in test/runtimes/binaries: npm run test:runtimes installs it on Linux, x64 or arm64 with glibc, and this is ${process.platform} ${process.arch}`,
  )
}
