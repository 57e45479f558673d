// What a file judge reads and writes on a real disk, and what it keeps its hands off. Who wins is tested in file-judge.test.ts.
import { spawnSync } from 'node:child_process'
import fs, { readdirSync, readFileSync, statSync } from 'node:fs'
import disk from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fileJudge } from '../../../src/coordination/file-judge.ts'
import { createId } from '../../../src/id.ts'
import { quickFolder } from '../../helpers/quick-folder.ts'
import { rejectionOf } from '../../helpers/rejection.ts'

interface Record {
  readonly stamp: string
  readonly text: string
}

let folder = ''
let file = ''
beforeEach(() => {
  folder = quickFolder('file')
  file = path.join(folder, 'session.json')
})
afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
  fs.rmSync(folder, { recursive: true, force: true })
})

const judgeOf = (place = file) => fileJudge<Record>(place, { isDurable: true })
const recordOf = (text: string): Record => ({ stamp: createId(), text })
const names = (): string[] => readdirSync(folder).toSorted()
const modeOf = (place: string): string => (statSync(place).mode & 0o777).toString(8)

/** Makes a call to the disk fail, or do something first. */
function instead(name: 'open' | 'rename' | 'mkdir' | 'unlink', act: (...args: unknown[]) => unknown): void {
  const real = disk[name] as (...args: unknown[]) => Promise<unknown>
  vi.spyOn(disk, name).mockImplementation((async (...args: unknown[]) => {
    await act(...args)
    return real(...args)
  }) as never)
  syncBuiltinESMExports()
}

const failure = (code: string): Error => Object.assign(new Error(`${code}: on purpose`), { code })

describe('what is at the path', () => {
  it('S4 a symbolic link that comes later is refused, and what it leads to is neither read nor written', async () => {
    const first = recordOf('first')
    const judge = judgeOf()
    await judge.swap(first, undefined)
    const target = path.join(folder, 'target')
    fs.renameSync(file, target)
    const content = readFileSync(target, 'utf8')
    fs.symlinkSync(target, file)
    const opened: unknown[] = []
    instead('open', (place, flags) => {
      opened.push(place)
      expect((flags as number) & fs.constants.O_NOFOLLOW).toBeTruthy()
    })
    for (const act of [
      () => judge.read(),
      () => judge.swap(recordOf('next'), first),
      () => judge.swap(undefined, first),
    ]) {
      expect(await rejectionOf(act())).toMatchObject({ message: expect.stringContaining('is a symbolic link') })
    }
    expect(new Set(opened)).toEqual(new Set([file]))
    expect(fs.readlinkSync(file)).toBe(target)
    expect(readFileSync(target, 'utf8')).toBe(content)
    expect(names()).toEqual(['session.json', 'target'])
  })

  it('S4 a symbolic link that comes in the middle of a write is replaced, and not followed', async () => {
    const judge = judgeOf()
    const first = recordOf('first')
    await judge.swap(first, undefined)
    const target = path.join(folder, 'target')
    fs.writeFileSync(target, 'of somebody else')
    instead('rename', (_, to) => {
      if (to !== file) return
      fs.rmSync(file)
      fs.symlinkSync(target, file)
    })
    const next = recordOf('next')
    expect(await judge.swap(next, first)).toBe(true)
    expect(fs.lstatSync(file).isSymbolicLink()).toBe(false)
    expect(await judge.read()).toEqual(next)
    expect(readFileSync(target, 'utf8')).toBe('of somebody else')
  })

  it('S4 a draft that is a symbolic link already is not written to', async () => {
    const target = path.join(folder, 'target')
    fs.writeFileSync(target, 'of somebody else')
    const next = recordOf('next')
    instead('open', (place) => {
      if (String(place).endsWith(next.stamp)) fs.symlinkSync(target, String(place))
    })
    expect(await rejectionOf(judgeOf().swap(next, undefined))).toMatchObject({
      code: expect.stringMatching(/EEXIST|ELOOP/),
    })
    expect(readFileSync(target, 'utf8')).toBe('of somebody else')
    expect(names()).toEqual(['target'])
  })

  it('S4 a folder, a pipe, a socket or a device is no session, is not waited for and stays', async () => {
    const kinds: (() => unknown)[] = [() => fs.mkdirSync(file), () => spawnSync('mkfifo', [file])]
    for (const make of kinds) {
      make()
      for (const act of [() => judgeOf().read(), () => judgeOf().swap(recordOf('next'), undefined)]) {
        expect(await rejectionOf(act())).toMatchObject({ message: expect.stringContaining('is no file') })
      }
      expect(names()).toEqual(['session.json'])
      fs.rmSync(file, { recursive: true })
    }
    expect(await judgeOf().swap(recordOf('next'), undefined)).toBe(true)
  })

  it('S4 what belongs to somebody else is not taken for ours, and what belongs to root or the owner of the folder is', async () => {
    await judgeOf().swap(recordOf('theirs'), undefined)
    const us = process.geteuid?.() as number
    const uidOf = vi.spyOn(process as { geteuid: () => number }, 'geteuid')
    uidOf.mockReturnValue(us + 1)
    // Ours is the folder: who owns that could have put anything there.
    expect((await judgeOf().read())?.text).toBe('theirs')
    const stat = disk.stat
    vi.spyOn(disk, 'stat').mockImplementation((async (place: string) =>
      Object.assign(await stat(place), { uid: us + 2 })) as never)
    syncBuiltinESMExports()
    const isRoots = us === 0
    if (isRoots) expect((await judgeOf().read())?.text).toBe('theirs')
    else
      expect(await rejectionOf(judgeOf().read())).toMatchObject({ message: expect.stringContaining('somebody else') })
    if (!isRoots) return
    fs.chownSync(file, 4321, 4321)
    expect(await rejectionOf(judgeOf().read())).toMatchObject({ message: expect.stringContaining('somebody else') })
  })
})

describe.runIf(process.geteuid?.() === 0)('what others have put beside it, where everybody may', () => {
  /** What a stranger makes there, with something in it that must not be touched. */
  const strange = (name: string): string => {
    const place = path.join(folder, name)
    fs.mkdirSync(path.join(place, 'deep'), { recursive: true })
    fs.writeFileSync(path.join(place, 'deep', 'file'), 'theirs')
    for (const each of [place, path.join(place, 'deep'), path.join(place, 'deep', 'file')])
      fs.chownSync(each, 4321, 4321)
    fs.utimesSync(place, 1, 1)
    return path.join(place, 'deep', 'file')
  }

  it('S4 is neither used nor emptied: what looks like a claim, and what looks like litter', async () => {
    fs.chmodSync(folder, 0o1777)
    const litter = strange(`session.json.${'a'.repeat(32)}.tmp`)
    const claim = strange(`session.json.${'0'.repeat(32)}.next`)
    expect(await judgeOf().read()).toBeUndefined()
    expect(readFileSync(claim, 'utf8')).toBe('theirs')
    fs.rmSync(path.dirname(path.dirname(claim)), { recursive: true })
    expect(await judgeOf().swap(recordOf('first'), undefined)).toBe(true)
    expect(readFileSync(litter, 'utf8')).toBe('theirs')
  })
})

describe('what is made', () => {
  it('S4 folders for us alone, as deep as they have to be; one that is there stays as it is', async () => {
    fs.chmodSync(folder, 0o755)
    const place = path.join(folder, 'a', 'b', 'session.json')
    expect(await judgeOf(place).swap(recordOf('first'), undefined)).toBe(true)
    expect([folder, path.join(folder, 'a'), path.join(folder, 'a', 'b'), place].map(modeOf)).toEqual([
      '755',
      '700',
      '700',
      '600',
    ])
  })

  it('S4 a session is on the disk before its name is, and the name before the write is done', async () => {
    const calls: string[] = []
    const { open, rename } = disk
    vi.spyOn(disk, 'rename').mockImplementation(async (from, to) => {
      await rename(from, to)
      calls.push('rename')
    })
    vi.spyOn(disk, 'open').mockImplementation(async (place, ...more) => {
      const handle = await open(place, ...more)
      const [writeFile, sync] = [handle.writeFile, handle.sync]
      handle.writeFile = (...args) => writeFile.apply(handle, args).finally(() => calls.push('write'))
      handle.sync = () => sync.call(handle).finally(() => calls.push(`sync ${place === folder ? 'names' : 'content'}`))
      return handle
    })
    syncBuiltinESMExports()
    const first = recordOf('first')
    await judgeOf().swap(first, undefined)
    expect(calls).toEqual(['write', 'sync content', 'rename', 'rename', 'sync names'])
    // Who completes what a dead one has claimed does the same.
    calls.length = 0
    const next = recordOf('next')
    const slot = `${file}.${first.stamp}.next`
    fs.mkdirSync(slot)
    fs.writeFileSync(path.join(slot, next.stamp), JSON.stringify({ stamp: next.stamp, past: [], record: next }))
    expect(await judgeOf().read()).toEqual(next)
    expect(calls).toEqual(['rename', 'sync names'])
    calls.length = 0
    await fileJudge<Record>(`${file}.lock`, { isDurable: false }).swap(first, undefined)
    expect(calls).toEqual(['write', 'rename', 'rename'])
  })

  it('S4 a file that somebody has opened up is closed by the next write', async () => {
    const [first, second] = [recordOf('first'), recordOf('second')]
    await judgeOf().swap(first, undefined)
    fs.chmodSync(file, 0o666)
    expect(await judgeOf().swap(second, first)).toBe(true)
    expect(modeOf(file)).toBe('600')
  })

  it('S4 a folder where everybody can write is refused, unless it is sticky as /tmp is', async () => {
    fs.chmodSync(folder, 0o777)
    expect(await rejectionOf(judgeOf().swap(recordOf('first'), undefined))).toMatchObject({
      message: expect.stringContaining('not everybody can write'),
    })
    expect(names()).toEqual([])
    fs.chmodSync(folder, 0o1777)
    expect(await judgeOf().swap(recordOf('first'), undefined)).toBe(true)
  })

  it('S4 a removal leaves no token on the disk', async () => {
    const first = recordOf('refresh-token')
    await judgeOf().swap(first, undefined)
    expect(await judgeOf().swap(undefined, first)).toBe(true)
    expect(await judgeOf().read()).toBeUndefined()
    expect(names()).toEqual(['session.json'])
    expect(readFileSync(file, 'utf8')).not.toContain('refresh-token')
  })

  it('S4 what is too large to be a session is not written', async () => {
    expect(await rejectionOf(judgeOf().swap(recordOf('ü'.repeat(600_000)), undefined))).toBeInstanceOf(RangeError)
    expect(names()).toEqual([])
  })
})

describe('a write that fails', () => {
  const failures: { [step: string]: () => void } = {
    'no folder can be made': () =>
      instead('mkdir', (place) => {
        if (String(place).endsWith('.tmp')) throw failure('ENOSPC')
      }),
    'no file can be made': () =>
      instead('open', (_, flags) => {
        if (flags !== fs.constants.O_RDONLY && (flags as number) & 1) throw failure('EMFILE')
      }),
    'there is room for half of it': () => halfWritten(),
    'the claim': () =>
      instead('rename', (_, to) => {
        if (String(to).endsWith('.next')) throw failure('EROFS')
      }),
    'the last step': () =>
      instead('rename', (_, to) => {
        if (to === file) throw failure('EBUSY')
      }),
  }

  function halfWritten(): void {
    const open = disk.open
    vi.spyOn(disk, 'open').mockImplementation((async (...args: Parameters<typeof open>) => {
      const handle = await open(...args)
      const { writeFile } = handle
      handle.writeFile = async (text) => {
        await writeFile.call(handle, String(text).slice(0, 40))
        throw failure('ENOSPC')
      }
      return handle
    }) as never)
    syncBuiltinESMExports()
  }

  it.each(Object.entries(failures))(
    'S4 %s: it says so, leaves what stood and no litter, and works when it can',
    async (_, breakDisk) => {
      const [first, second] = [recordOf('first'), recordOf('second')]
      const judge = judgeOf()
      await judge.swap(first, undefined)
      breakDisk()
      expect(await rejectionOf(judge.swap(second, first))).toMatchObject({
        message: expect.stringContaining('on purpose'),
      })
      vi.restoreAllMocks()
      syncBuiltinESMExports()
      expect(names()).toEqual(['session.json'])
      // Not even later, by those who complete what others have claimed.
      expect(await judgeOf().read()).toEqual(first)
      expect(await judge.swap(second, first)).toBe(true)
      expect(await judgeOf().read()).toEqual(second)
    },
  )

  it('S4 a system that says no to what it has done is not believed', async () => {
    // As NFS does: it did what it was asked, its answer got lost, and asked again it finds nothing to do.
    const rename = disk.rename
    vi.spyOn(disk, 'rename').mockImplementation(async (from, to) => {
      await rename(from, to)
      throw failure('ENOENT')
    })
    syncBuiltinESMExports()
    const [first, second] = [recordOf('first'), recordOf('second')]
    expect(await judgeOf().swap(first, undefined)).toBe(true)
    expect(await judgeOf().swap(second, first)).toBe(true)
    expect(await judgeOf().swap(recordOf('third'), first)).toBe(false)
    expect(await judgeOf().read()).toEqual(second)
    expect(names()).toEqual(['session.json'])
  })

  it('S4 where nothing can be written, what is there can be read, with what a dead one has claimed beside it', async () => {
    const first = recordOf('first')
    await judgeOf().swap(first, undefined)
    const slot = `${file}.${first.stamp}.next`
    fs.mkdirSync(slot)
    fs.writeFileSync(path.join(slot, createId()), '{}')
    instead('rename', () => {
      throw failure('EROFS')
    })
    expect(await judgeOf().read()).toEqual(first)
  })
})

describe('litter', () => {
  const old = new Date(Date.now() - 61_000)

  it('S4 of processes that were killed is gone after the next write, once it is a minute old; nothing else is touched', async () => {
    const litter = [`session.json.${createId()}.tmp`, `session.json.${createId()}.next`]
    const others = [
      ...[`session.json.${createId()}.bak`, 'session.json.tmp', 'session.json.next', `other.json.${createId()}.tmp`],
      ...[
        `session.json.lock.${createId()}.tmp`,
        `session.json.${createId()}.tmp.bak`,
        `a-session.json.${createId()}.tmp`,
      ],
    ]
    const recent = `session.json.${createId()}.tmp`
    for (const name of [...litter, ...others, recent]) {
      fs.mkdirSync(path.join(folder, name))
      fs.writeFileSync(path.join(folder, name, createId()), 'refresh-token')
      if (name !== recent) fs.utimesSync(path.join(folder, name), old, old)
    }
    const judge = judgeOf()
    const first = recordOf('first')
    expect(await judge.swap(first, undefined)).toBe(true)
    expect(names()).toEqual([...others, recent, 'session.json'].toSorted())
  })

  it('S4 that a file manager leaves where the next write has to go is not in its way', async () => {
    const first = recordOf('first')
    await judgeOf().swap(first, undefined)
    const slot = `${file}.${first.stamp}.next`
    fs.mkdirSync(slot)
    fs.writeFileSync(path.join(slot, '.DS_Store'), 'x')
    expect(await judgeOf().read()).toEqual(first)
    expect(await judgeOf().swap(recordOf('second'), first)).toBe(true)
    expect(names()).toEqual(['session.json'])
  })
})

describe('where the system answers as Windows does', () => {
  const platform = Object.getOwnPropertyDescriptor(process, 'platform') as PropertyDescriptor
  beforeEach(() => void Object.defineProperty(process, 'platform', { ...platform, value: 'win32' }))
  afterEach(() => void Object.defineProperty(process, 'platform', platform))

  /** A folder cannot be renamed to where one is, not even where that is empty. */
  const refuseFolders = (_: unknown, to: unknown): void => {
    if (fs.statSync(String(to), { throwIfNoEntry: false })?.isDirectory()) throw failure('EPERM')
  }

  it('S4 a virus scanner that has a file open for a moment is waited for, and one that keeps it is not', async () => {
    const [first, second] = [recordOf('first'), recordOf('second')]
    const failures = ['EPERM', 'EACCES', 'EBUSY']
    const fail = (): void => {
      const code = failures.shift()
      if (code) throw failure(code)
    }
    for (const name of ['open', 'rename'] as const) instead(name, fail)
    expect(await judgeOf().swap(first, undefined)).toBe(true)
    failures.push('EPERM')
    expect(await judgeOf().read()).toEqual(first)
    failures.push(...Array<string>(100).fill('EBUSY'))
    expect(await rejectionOf(judgeOf().swap(second, first))).toMatchObject({ code: 'EBUSY' })
    failures.length = 0
    expect(await judgeOf().swap(second, first)).toBe(true)
  })

  it('S4 a claim that finds another one has lost, and what it left empty is no claim', async () => {
    const [first, second, third] = [recordOf('first'), recordOf('second'), recordOf('third')]
    instead('rename', refuseFolders)
    await judgeOf().swap(first, undefined)
    const slot = `${file}.${first.stamp}.next`
    fs.mkdirSync(slot)
    expect(await judgeOf().swap(second, first)).toBe(true)
    // Somebody claims what it is about to claim.
    const slotOfSecond = `${file}.${second.stamp}.next`
    const fourth = recordOf('fourth')
    instead('mkdir', (place) => {
      if (place !== `${file}.${third.stamp}.tmp`) return
      fs.mkdirSync(slotOfSecond)
      fs.writeFileSync(
        path.join(slotOfSecond, fourth.stamp),
        JSON.stringify({ stamp: fourth.stamp, past: [second.stamp], record: fourth }),
      )
    })
    expect(await judgeOf().swap(third, second)).toBe(false)
    expect(await judgeOf().read()).toEqual(fourth)
    expect(names()).toEqual(['session.json'])
  })
})

it('E1 no error says what was in the file', async () => {
  fs.writeFileSync(file, '{"stamp":"refresh-token')
  expect(await judgeOf().read()).toBeUndefined()
  await judgeOf().swap(recordOf('refresh-token'), undefined)
  fs.chmodSync(folder, 0o777)
  const errors = [await rejectionOf(judgeOf().swap(recordOf('refresh-token'), await judgeOf().read()))]
  fs.chmodSync(folder, 0o755)
  errors.push(await rejectionOf(judgeOf().swap(recordOf('refresh-token'.repeat(200_000)), await judgeOf().read())))
  instead('rename', () => {
    throw failure('EIO')
  })
  errors.push(await rejectionOf(judgeOf().swap(recordOf('refresh-token'), await judgeOf().read())))
  for (const error of errors)
    expect(`${(error as Error).stack} ${JSON.stringify(error)}`).not.toContain('refresh-token')
})
