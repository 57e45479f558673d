// How size-limit bundles relatch/ky: as the ES module that a consumer's bundler sees, with what it stands on left out.
// size-limit's own format would count esbuild's shims for require().
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export default {
  entryPoints: ['dist/ky.js'],
  bundle: true,
  format: 'esm',
  minify: true,
  external: ['ky', './core.js'],
  outdir: join(tmpdir(), 'relatch-size-ky'),
}
