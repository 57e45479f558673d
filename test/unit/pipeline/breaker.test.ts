import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Breaker } from '../../../src/pipeline/breaker.ts'

const ORDERS = 'GET https://api.example/orders'
const OTHERS = 'POST https://api.example/orders'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('Breaker', () => {
  it('R13 allows three credentials to be rejected, and not a fourth', () => {
    const breaker = new Breaker()
    expect([{}, {}, {}, {}, {}].map((credential) => breaker.allows(ORDERS, credential))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
  })

  it('R13 counts a credential once, however many requests were sent with it', () => {
    const breaker = new Breaker()
    const credentials = [{}, {}, {}]
    for (const credential of credentials) {
      for (let count = 0; count < 100; count++) expect(breaker.allows(ORDERS, credential)).toBe(true)
    }
    expect(breaker.allows(ORDERS, {})).toBe(false)
  })

  it('R13 counts each endpoint for itself', () => {
    const breaker = new Breaker()
    for (let count = 0; count < 5; count++) breaker.allows(ORDERS, {})
    expect(breaker.allows(OTHERS, {})).toBe(true)
    expect(breaker.allows(ORDERS, {})).toBe(false)
  })

  it('R13 tries again after 10 s, then 20 s, up to ten minutes', () => {
    const breaker = new Breaker()
    for (let count = 0; count < 3; count++) breaker.allows(ORDERS, {})
    for (const seconds of [10, 20, 40, 80, 160, 320, 600, 600, 600]) {
      vi.advanceTimersByTime(seconds * 1000 - 1)
      expect(breaker.allows(ORDERS, {}), `before ${seconds} s`).toBe(false)
      vi.advanceTimersByTime(1)
      expect(breaker.allows(ORDERS, {}), `after ${seconds} s`).toBe(true)
      expect(breaker.allows(ORDERS, {})).toBe(false)
    }
  })

  it('R13 starts anew where an answer was accepted', () => {
    const breaker = new Breaker()
    for (let count = 0; count < 5; count++) breaker.allows(ORDERS, {})
    breaker.accepted(OTHERS)
    expect(breaker.allows(ORDERS, {})).toBe(false)
    breaker.accepted(ORDERS)
    expect([{}, {}, {}, {}].map((credential) => breaker.allows(ORDERS, credential))).toEqual([true, true, true, false])
  })

  it('R13 starts anew for another session', () => {
    const breaker = new Breaker()
    for (let count = 0; count < 5; count++) breaker.allows(ORDERS, {})
    breaker.reset()
    expect(breaker.isEmpty()).toBe(true)
    expect(breaker.allows(ORDERS, {})).toBe(true)
  })

  it('R13 remembers 256 endpoints; of more, those that were quiet for longest are forgotten', () => {
    const breaker = new Breaker()
    for (let count = 0; count < 5; count++) breaker.allows(ORDERS, {})
    for (let id = 0; id < 255; id++) breaker.allows(`${ORDERS}/${id}`, {})
    expect(breaker.allows(ORDERS, {})).toBe(false)
    breaker.allows(`${ORDERS}/255`, {})
    expect(breaker.allows(ORDERS, {})).toBe(true)
  })

  it('R13 holds on to nothing where everything was accepted', () => {
    const breaker = new Breaker()
    expect(breaker.isEmpty()).toBe(true)
    breaker.allows(ORDERS, {})
    expect(breaker.isEmpty()).toBe(false)
    breaker.accepted(ORDERS)
    expect(breaker.isEmpty()).toBe(true)
  })
})
