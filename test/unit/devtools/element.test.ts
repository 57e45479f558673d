// Where there is no DOM: a server that renders a page may import the devtools, and registers nothing.
import { expect, it } from 'vitest'
import { defineDevtools } from '../../../src/devtools/index.ts'

it('can be imported and defined where there are no custom elements', () => {
  expect('customElements' in globalThis).toBe(false)
  expect(defineDevtools()).toBeUndefined()
})
