/** The browser's profile on the disk, as somebody finds it who copies the disk. */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Browser } from 'puppeteer-core'

/** The files of the profile that hold one of these texts, in one byte a character or in two. */
export async function filesWith(browser: Browser, texts: string[]): Promise<string[]> {
  const folder = profileOf(browser)
  const needles = texts.flatMap((text) => [Buffer.from(text, 'latin1'), Buffer.from(text, 'utf16le')])
  const found: string[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    // Files come and go while the browser runs.
    const content = await readFile(path.join(entry.parentPath, entry.name)).catch(() => Buffer.alloc(0))
    if (needles.some((needle) => content.includes(needle)))
      found.push(path.relative(folder, path.join(entry.parentPath, entry.name)))
  }
  return found
}

function profileOf(browser: Browser): string {
  const args = browser.process()?.spawnargs ?? []
  const folder =
    args.find((arg) => arg.startsWith('--user-data-dir='))?.slice('--user-data-dir='.length) ??
    args[args.indexOf('--profile') + 1]
  if (folder === undefined) throw new Error('Expected a browser with a profile')
  return folder
}
