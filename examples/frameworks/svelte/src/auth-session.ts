import type { AuthFetch } from 'relatch'
import { createSubscriber } from 'svelte/reactivity'

export function authSession({ subscribe, snapshot }: AuthFetch) {
  const track = createSubscriber(subscribe)
  return {
    get current() {
      track()
      return snapshot()
    },
  }
}
