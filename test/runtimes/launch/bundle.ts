/** The suite in one file, with the built package in it: for runtimes that load no packages. */
import path from 'node:path'
import { build } from 'esbuild'

/** @param entry a file of ../entries */
export async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(import.meta.dirname, '../entries', entry)],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}
