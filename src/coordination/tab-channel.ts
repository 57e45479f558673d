/**
 * What tabs call out to each other. Whoever listens judges what it hears: any script of the origin can speak here (C4). Where a
 * browser has no channels, or denies them, only a hint is lost: the next look under the lock finds out.
 */
import { notify } from '../events.ts'

export interface TabChannel {
  /** Reaches everyone who listens, in this tab too. */
  ring(message: unknown): void
  /** Returns what ends it. */
  listen(hear: (message: unknown) => void): () => void
}

export const tabChannel = (name: string): TabChannel => ({
  ring: (message) =>
    notify(() => {
      const channel = new BroadcastChannel(name)
      channel.postMessage(message)
      channel.close()
    }),
  listen(hear) {
    let channel: (BroadcastChannel & { unref?: () => void }) | undefined
    notify(() => {
      channel = new BroadcastChannel(name)
      channel.onmessage = ({ data }) => notify(hear, data)
      // Node has it too, and would stay alive for it.
      channel.unref?.()
    })
    return () => channel?.close()
  },
})
