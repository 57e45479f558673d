// R11, S2: a file store on a disk that is full, a real one where we may mount one.
import { spawnSync } from 'node:child_process'
import fs, { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import disk from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import type { AuthEvents, TokenStore } from '../../src/index.ts'
import { fileStore } from '../../src/stores/file.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { clientOf, statusOf } from '../helpers/server-client.ts'

interface Disk {
  folder: string
  /** From here on nothing more fits. */
  fill(): void
  makeRoom(): void
}

/** 64 kB in memory, for root; else a disk that says that it is full. */
function smallDisk(): Disk & { isReal: boolean } {
  const folder = mkdtempSync(path.join(tmpdir(), 'relatch-disk-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', folder])
  const isReal = status === 0
  onTestFinished(() => {
    if (isReal) spawnSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  return { folder, isReal, ...(isReal ? realLimit(folder) : pretendedLimit()) }
}

function realLimit(folder: string): Omit<Disk, 'folder'> {
  const filler = path.join(folder, 'filler')
  return {
    fill() {
      const fit = (): void => appendFileSync(filler, 'x'.repeat(1024))
      expect(() => {
        for (;;) fit()
      }).toThrow('ENOSPC')
    },
    makeRoom: () => rmSync(filler),
  }
}

function pretendedLimit(): Omit<Disk, 'folder'> {
  const { open } = disk
  const makeRoom = (): void => {
    vi.restoreAllMocks()
    syncBuiltinESMExports()
  }
  onTestFinished(makeRoom)
  return {
    fill() {
      vi.spyOn(disk, 'open').mockImplementation((async (...args: Parameters<typeof open>) => {
        const file = await open(...args)
        file.writeFile = () => Promise.reject(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }))
        return file
      }) as never)
      syncBuiltinESMExports()
    },
    makeRoom,
  }
}

it('R11 a disk that is full: what was rotated lives on in memory, is told of once, and is written when there is room', async ({
  annotate,
}) => {
  const { folder, isReal, fill, makeRoom } = smallDisk()
  await annotate(isReal ? 'a tmpfs of 64 kB' : 'may not mount: a disk that pretends')
  const file = path.join(folder, 'session.json')
  const server = createAuthServer()
  const api = clientOf(server, { store: fileStore({ path: file }) })
  const failures: AuthEvents['store-failed'][] = []
  api.on('store-failed', (failure) => failures.push(failure))
  const stored = (): ReturnType<TokenStore['read']> => fileStore({ path: file }).read()
  const litter = (): string[] =>
    readdirSync(folder).filter((name) => !['session.json', 'session.json.lock', 'filler'].includes(name))

  await api.signIn(server.signIn('viewer'))
  const before = readFileSync(file, 'utf8')
  fill()
  for (let expiry = 0; expiry < 3; expiry++) {
    server.expireAccessTokens()
    const startedAt = performance.now()
    expect(await statusOf(api('/me'))).toBe(200)
    expect(performance.now() - startedAt).toBeLessThan(3000)
  }
  expect(server.stats).toMatchObject({ refreshes: 3, reuses: 0 })
  expect(readFileSync(file, 'utf8')).toBe(before)
  // A look at the lock may be under way.
  await vi.waitFor(() => expect(litter()).toEqual([]), { timeout: 5000 })
  expect(failures.filter(({ operation }) => operation === 'write')).toEqual([{ operation: 'write', reason: 'threw' }])
  expect(failures.filter(({ operation }) => operation !== 'write').length).toBeLessThanOrEqual(1)

  makeRoom()
  const current = await api.tokens()
  await vi.waitFor(async () => expect((await stored())?.tokens).toEqual(current), { timeout: 20_000, interval: 50 })
  server.expireAccessTokens()
  expect(await statusOf(api('/me'))).toBe(200)
  expect((await stored())?.tokens).toEqual(await api.tokens())

  fill()
  await api.signOut()
  expect(api.snapshot().status).toBe('signed-out')
  expect(await stored()).not.toBeNull()
  makeRoom()
  await vi.waitFor(async () => expect(await stored()).toBeNull(), { timeout: 20_000, interval: 50 })
  expect(server.stats.reuses).toBe(0)
  await vi.waitFor(() => expect(litter()).toEqual([]), { timeout: 5000 })
  api.dispose()
  expect(fs.existsSync(file)).toBe(true)
}, 60_000)
