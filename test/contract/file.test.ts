// S1 for the file store, with another store object on the same file, and everything that a file may hold without being a session.
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createId } from '../../src/id.ts'
import type { StoredSession, TokenStore } from '../../src/ports.ts'
import { type FileStoreOptions, fileStore } from '../../src/stores/file.ts'
import { describeTokenStore } from '../../src/testing/index.ts'
import { quickFolder } from '../helpers/quick-folder.ts'

const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true })

function testPath(): string {
  const folder = quickFolder('file')
  onTestFinished(() => removeFolder(folder))
  return path.join(folder, 'session.json')
}

const sessionAt = (version: number): StoredSession => ({
  sessionId: 'session-1',
  version,
  tokens: { accessToken: 'access-1', refreshToken: 'refresh-1' },
})

describeTokenStore(
  'fileStore',
  () => {
    const folder = quickFolder('file')
    const file = path.join(folder, 'session.json')
    return {
      store: fileStore({ path: file }),
      sibling: () => fileStore({ path: file }),
      corrupt: () => writeFileSync(file, readFileSync(file).subarray(0, -20)),
      cleanup: () => removeFolder(folder),
    }
  },
  { describe, it },
)

const stamp = createId()
const record = { stamp, session: sessionAt(5) }

const garbage: Record<string, string | Uint8Array> = {
  nothing: '',
  'a byte': '{',
  'a line break': '\n',
  'torn JSON': JSON.stringify({ stamp, past: [], record }).slice(0, 80),
  'two in a row': JSON.stringify({ stamp, past: [], record }).repeat(2),
  'a byte order mark': `\uFEFF${JSON.stringify({ stamp, past: [], record })}`,
  'UTF-16': Buffer.from(JSON.stringify({ stamp, past: [], record }), 'utf16le'),
  zeros: new Uint8Array(4096),
  'binary data': Uint8Array.from({ length: 4096 }, (_, index) => (index * 167) % 256),
  'two megabytes': 'a'.repeat(2 ** 21),
  'two megabytes of JSON': JSON.stringify({ stamp, past: [], record, more: 'a'.repeat(2 ** 21) }),
  'deep JSON': '['.repeat(50_000),
  'a number': '5',
  'a text': '"session"',
  null: 'null',
  'a list': '[]',
  'an object': '{}',
  'what another program keeps': '{"access_token":"a","refresh_token":"r"}',
  'a session without a stamp': JSON.stringify(sessionAt(5)),
  'a stamp that leads elsewhere': JSON.stringify({
    stamp: '../../../etc',
    past: [],
    record: { ...record, stamp: '../../../etc' },
  }),
  'a stamp that is too long': JSON.stringify({
    stamp: stamp + stamp,
    past: [],
    record: { ...record, stamp: stamp + stamp },
  }),
  'the stamp of nothing': JSON.stringify({
    stamp: '0'.repeat(32),
    past: [],
    record: { ...record, stamp: '0'.repeat(32) },
  }),
  'a stamp that is none': JSON.stringify({ stamp: 5, past: [], record: { ...record, stamp: 5 } }),
  'two stamps': JSON.stringify({ stamp: createId(), past: [], record }),
  'a record that is a text': JSON.stringify({ stamp, past: [], record: 'session' }),
  'no record': JSON.stringify({ stamp, past: [] }),
  'no session': JSON.stringify({ stamp, past: [], record: { stamp } }),
  'a session without a version': JSON.stringify({
    stamp,
    past: [],
    record: { stamp, session: { sessionId: 'session-1' } },
  }),
  'a token with a line break': JSON.stringify({
    stamp,
    past: [],
    record: { stamp, session: { ...sessionAt(5), tokens: { accessToken: 'a\r\nX: y' } } },
  }),
  'a prototype': `{"__proto__":${JSON.stringify({ stamp, past: [], record })}}`,
}

describe('garbage in the file', () => {
  it.each(Object.entries(garbage))(
    'S1 %s counts as nothing stored, and the next sign-in replaces it',
    async (_, content) => {
      const file = testPath()
      writeFileSync(file, content)
      const store = fileStore({ path: file })
      expect(await store.read()).toBeNull()
      expect(await store.write(sessionAt(6), 5)).toBe(false)
      expect(await store.write(sessionAt(6), null)).toBe(true)
      expect(await store.read()).toEqual(sessionAt(6))
    },
  )

  it('S1 whatever the list of earlier stamps holds, the session is the session', async () => {
    for (const past of [undefined, null, 5, 'a', [5, null, '../../etc', {}], Array(1000).fill(stamp)]) {
      const file = testPath()
      writeFileSync(file, JSON.stringify({ stamp, past, record }))
      const store = fileStore({ path: file })
      expect(await store.read()).toEqual(sessionAt(5))
      expect(await store.write(sessionAt(6), 5)).toBe(true)
      expect(await store.read()).toEqual(sessionAt(6))
    }
  })

  it('O4 a polluted prototype is no session', async () => {
    const file = testPath()
    const polluted = { stamp, past: [], record, session: record.session }
    const store = fileStore({ path: file })
    Object.assign(Object.prototype, polluted)
    try {
      for (const content of ['{}', JSON.stringify({ stamp, past: [], record: { stamp } })]) {
        writeFileSync(file, content)
        expect(await store.read()).toBeNull()
      }
    } finally {
      for (const name of Object.keys(polluted)) delete (Object.prototype as unknown as Record<string, unknown>)[name]
    }
  })

  it('S1 garbage in the file of the lock keeps nobody out', async () => {
    const lock = { stamp, owner: 'nobody', ttlMs: 1000, pid: -1, host: 'elsewhere' }
    const odd = [
      { ttlMs: 'long' },
      { ttlMs: null },
      { ttlMs: -5 },
      { owner: 5, ttlMs: 0 },
      { pid: {}, ttlMs: undefined },
    ]
    const contents = odd.map((members) => JSON.stringify({ stamp, past: [], record: { ...lock, ...members } }))
    for (const content of [...contents, ...Object.values(garbage)]) {
      const file = testPath()
      writeFileSync(`${file}.lock`, content)
      const startedAt = performance.now()
      const isHeld = await fileStore({ path: file }).lock?.(async (held) => held?.(), {
        waitMs: 20_000,
        holdMs: 20_000,
      })
      expect(isHeld).toBe(true)
      expect(performance.now() - startedAt).toBeLessThan(5000)
    }
  })
})

describe('the options', () => {
  const make = (options: unknown): TokenStore => fileStore(options as FileStoreOptions)
  const refusal = (code: string, message = '') =>
    expect.objectContaining({ name: 'TypeError', code, message: expect.stringContaining(message) })

  it('S4 asks for a path, and says what it wanted', () => {
    for (const bad of [undefined, null, '', 5, 'a\0b', ['a'], new URL('file:///tmp/session.json')]) {
      expect(() => make({ path: bad })).toThrow(refusal('ERR_INVALID_OPTION', '`path`'))
    }
    for (const bad of ['~', '~/session.json', '~\\session.json']) {
      expect(() => make({ path: bad })).toThrow(refusal('ERR_INVALID_OPTION', 'os.homedir()'))
    }
    // It would be the lock of session.json, which writes there.
    expect(() => make({ path: 'session.json.lock' })).toThrow(refusal('ERR_INVALID_OPTION', '.lock'))
    expect(() => make(undefined)).toThrow(refusal('ERR_INVALID_OPTION'))
    expect(() => make({ pth: 'session.json' })).toThrow(refusal('ERR_UNKNOWN_OPTION', '`path`'))
    expect(() => make({ path: path.join(homedir(), '~session.json') })).not.toThrow()
  })

  it('S4 refuses a symbolic link, wherever it leads, and a folder', () => {
    const file = testPath()
    symlinkSync(path.join(path.dirname(file), 'nowhere'), file)
    expect(() => make({ path: file })).toThrow(refusal('ERR_INVALID_OPTION', 'symbolic link'))
    expect(() => make({ path: path.dirname(file) })).toThrow(refusal('ERR_INVALID_OPTION', 'folder'))
  })

  it('S4 makes nothing until something is written, and keeps to the folder that it was made in', async () => {
    const file = testPath()
    const before = process.cwd()
    const place = path.join(path.dirname(file), 'place')
    mkdirSync(place)
    try {
      process.chdir(place)
      const store = make({ path: 'deep/session.json' })
      process.chdir(before)
      expect(await store.read()).toBeNull()
      store.watch?.(() => {})()
      expect(() => readFileSync(path.join(place, 'deep'))).toThrow('ENOENT')
      expect(await store.write(sessionAt(1), null)).toBe(true)
      expect(readFileSync(path.join(place, 'deep', 'session.json'), 'utf8')).toContain('refresh-1')
    } finally {
      process.chdir(before)
    }
  })
})
