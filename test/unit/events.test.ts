import { describe, expect, it, vi } from 'vitest'
import { Events, notify } from '../../src/events.ts'

const signedIn = (sessionId = 's') => ({ sessionId, where: 'here' }) as const

describe('Events', () => {
  it('E3 tells the listeners of one event, in the order they came, of its payload', () => {
    const events = new Events()
    const heard: unknown[] = []
    events.on('signed-in', (payload) => heard.push(['first', payload]))
    events.on('signed-in', (payload) => heard.push(['second', payload]))
    events.on('signed-out', (payload) => heard.push(['other', payload]))
    events.emit('signed-in', signedIn())
    expect(heard).toEqual([
      ['first', signedIn()],
      ['second', signedIn()],
    ])
  })

  it('E3 without listeners is silent', () => {
    expect(() => new Events().emit('signed-in', signedIn())).not.toThrow()
  })

  it('E1 freezes the payload', () => {
    const events = new Events()
    events.on('signed-in', (payload) => expect(Object.isFrozen(payload)).toBe(true))
    events.emit('signed-in', signedIn())
    expect.assertions(1)
  })

  it('E3 goes on past a listener that throws', () => {
    const events = new Events()
    const heard = vi.fn()
    events.on('signed-in', () => {
      throw new Error('mine')
    })
    events.on('signed-in', heard)
    expect(() => events.emit('signed-in', signedIn())).not.toThrow()
    expect(heard).toHaveBeenCalledTimes(1)
  })

  it('E3 a listener that ends itself takes no one else’s turn', () => {
    const events = new Events()
    const heard = vi.fn()
    const end = events.on('signed-in', () => end())
    events.on('signed-in', heard)
    events.emit('signed-in', signedIn())
    events.emit('signed-in', signedIn())
    expect(heard).toHaveBeenCalledTimes(2)
  })

  it('E3 one that comes during an event hears the next', () => {
    const events = new Events()
    const late = vi.fn()
    events.on('signed-in', () => events.on('signed-in', late))
    events.emit('signed-in', signedIn('first'))
    expect(late).not.toHaveBeenCalled()
    events.emit('signed-in', signedIn('second'))
    expect(late.mock.calls).toEqual([[signedIn('second')]])
  })

  it('E3 clear() ends them all', () => {
    const events = new Events()
    const heard = vi.fn()
    events.on('signed-in', heard)
    events.clear()
    events.emit('signed-in', signedIn())
    expect(heard).not.toHaveBeenCalled()
  })
})

describe('notify', () => {
  it('E3 hands its arguments on', () => {
    const listener = vi.fn()
    notify(listener, 1, 'two')
    expect(listener.mock.calls).toEqual([[1, 'two']])
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('mine')
      },
    ],
    [
      'throws undefined',
      () => {
        throw undefined
      },
    ],
    ['rejects', () => Promise.reject(new Error('mine'))],
  ])('E3 survives a listener that %s', async (_, listener) => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    expect(() => notify(listener as () => void)).not.toThrow()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})
