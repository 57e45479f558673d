import { execFileSync } from 'node:child_process'

/** What these tests look at is dist/: never one that is older than src/. */
export default function freshBuild(): void {
  execFileSync(process.execPath, ['scripts/setup.mjs', '--build'], { stdio: 'inherit' })
}
