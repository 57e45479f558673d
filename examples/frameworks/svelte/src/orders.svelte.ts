import { load } from './api.ts'

/** Outlives the pages: what one has sent before the login is there on the page after it. */
let version = $state(0)

export const orders = {
  load() {
    // Whoever shows it loads it again when there is a new one.
    void version
    return load<string[]>('/api/orders')
  },
  async add(item: string) {
    const body = JSON.stringify({ item })
    await load('/api/orders', { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    version++
  },
}
