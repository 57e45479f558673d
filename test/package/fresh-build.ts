import { execFileSync } from 'node:child_process'

/** What these tests look at is dist/, and the playground that is made with it: never older than their sources. */
export default function freshBuild(): void {
  execFileSync(process.execPath, ['scripts/setup.mjs', '--build', '--playground'], { stdio: 'inherit' })
}
