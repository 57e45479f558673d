// Runs before every command that a person types (the `pre…` scripts of package.json), so that a fresh clone needs
// nothing but Node 20 and npm: it installs what is missing (with --clients the packages of test/clients too, with --frameworks those
// of examples/frameworks, with --runtimes the binaries of test/runtimes) and, with --build and --playground, builds what is older
// than its source.
// At this point nothing is installed: Node's own modules only, and nothing newer than Node 20.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

install('.')
if (process.argv.includes('--clients')) {
  install('test/clients')
  // Under its own name, as for anybody who installs it. Not as a dependency of theirs: its own would stand in their lock.
  const link = path.join(root, 'test/clients/node_modules/relatch')
  const isLinked = existsSync(link) && realpathSync(link) === realpathSync(root)
  if (!isLinked) {
    rmSync(link, { force: true }) // one that leads nowhere, or to where this folder was copied from
    symlinkSync(process.platform === 'win32' ? root : '../../..', link, 'junction')
  }
}
if (process.argv.includes('--runtimes')) install('test/runtimes/binaries')

if (process.argv.includes('--build')) {
  const sources = ['src', 'tsconfig.json', 'tsconfig.build.json', 'rollup.config.mjs', 'package-lock.json']
  refresh('dist/index.js', sources, 'build')
}
if (process.argv.includes('--playground')) {
  refresh('build/playground/index.html', ['playground', 'dist/index.js', 'package-lock.json'], 'build:playground')
}
if (process.argv.includes('--frameworks')) {
  install('examples/frameworks')
  // A copy of what is published, where a link would find our React beside theirs. Not a dependency: see above.
  const copy = path.join(root, 'examples/frameworks/node_modules/relatch')
  if (changedAt(path.join(copy, 'dist/index.js')) < changedAt(path.join(root, 'dist/index.js'))) {
    rmSync(copy, { recursive: true, force: true })
    for (const part of ['package.json', 'dist']) {
      cpSync(path.join(root, part), path.join(copy, part), { recursive: true })
    }
  }
}

/** What a folder's lock names, where it has changed since the last time. */
function install(folder) {
  // npm writes this copy of the lock after each install: the moment of the last one.
  const installed = path.join(root, folder, 'node_modules/.package-lock.json')
  if (changedAt(installed) >= changedAt(path.join(root, folder, 'package-lock.json'))) return
  // Not `npm ci`: it refuses a lock that was made on another platform, where optional binaries differ.
  // --no-save: whatever npm finds out here, the committed lock stays as it is.
  npm('--prefix', folder, 'install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error')
  const now = new Date()
  utimesSync(installed, now, now) // npm leaves the file alone when there was nothing to do
}

/** Runs a script of package.json where what it makes is older than what it is made of. */
function refresh(product, sources, script) {
  const newest = Math.max(...sources.map((source) => changedAt(path.join(root, source))))
  if (changedAt(path.join(root, product)) < newest) npm('run', script)
}

/** When a file, or the newest thing under a folder, was written; 0 where there is none. */
function changedAt(file) {
  const stat = statSync(file, { throwIfNoEntry: false })
  if (!stat) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(file).map((name) => changedAt(path.join(file, name))))
}

function npm(...args) {
  // A test runner's NODE_ENV would make another build, and somebody's `production` leave out what builds and tests.
  const { NODE_ENV: _, ...env } = process.env
  // stdout is the caller's: its last line may be read by a program.
  const { status } = spawnSync('npm', args, { cwd: root, env, stdio: 'inherit', shell: process.platform === 'win32' })
  if (status !== 0) process.exit(status ?? 1)
}
