// A1, A2, A3: waiting that one caller can leave without disturbing what it waits for.
import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { abortable } from '../../src/coordination/abortable.ts'
import { deferred } from '../helpers/deferred.ts'
import { rejectionOf } from '../helpers/rejection.ts'

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

it('A2 without a signal it is the work itself', () => {
  const work = Promise.resolve(1)
  expect(abortable(work, undefined)).toBe(work)
  expect(abortable(work, null)).toBe(work)
})

it('A2 settles as the work does', async () => {
  const { signal } = new AbortController()
  const failure = new Error('failed')
  expect(await abortable(Promise.resolve(1), signal)).toBe(1)
  expect(await rejectionOf(abortable(Promise.reject(failure), signal))).toBe(failure)
})

it.each([
  ['an error', new Error('left')],
  ['a string', 'left'],
  ['null', null],
])('A1 rejects with the caller’s own reason: %s', async (_what, reason) => {
  const controller = new AbortController()
  const waiting = abortable(new Promise(() => {}), controller.signal)
  controller.abort(reason)
  expect(await rejectionOf(waiting)).toBe(reason)
})

it('A1 rejects within a tick, though the work goes on', async () => {
  const controller = new AbortController()
  let outcome = 'waiting'
  abortable(new Promise(() => {}), controller.signal).catch(() => {
    outcome = 'left'
  })
  controller.abort()
  await Promise.resolve()
  await Promise.resolve()
  expect(outcome).toBe('left')
})

it('A1 rejects at once where the signal has fired already, though the work is done', async () => {
  const reason = new Error('left before')
  expect(await rejectionOf(abortable(new Promise(() => {}), AbortSignal.abort(reason)))).toBe(reason)
})

it('A2 what the work comes to afterwards is nobody’s business: no unhandled rejection', async () => {
  const work = deferred<never>()
  const controller = new AbortController()
  const waiting = rejectionOf(abortable(work.promise, controller.signal))
  controller.abort('left')
  work.reject(new Error('failed later'))
  expect(await waiting).toBe('left')
  await new Promise((done) => setImmediate(done))
})

it('A3 leaves no listener behind, whether the work succeeds, fails, or is left', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const works = [deferred<void>(), deferred<void>(), deferred<void>()] as const
  const waiting = works.map(({ promise }) => abortable(promise, signal).catch(() => {}))
  expect(listeners(signal)).toBe(3)
  works[0].resolve()
  works[1].reject(new Error('failed'))
  await Promise.all(waiting.slice(0, 2))
  await new Promise((done) => setImmediate(done))
  expect(listeners(signal)).toBe(1)
  controller.abort()
  works[2].resolve()
  await waiting[2]
  await new Promise((done) => setImmediate(done))
  expect(listeners(signal)).toBe(0)
})
