/**
 * What tabs call out to each other. Whoever listens judges what it hears: any script of the origin can speak here (C4). Where a
 * browser has no channels, or denies them, only a hint is lost: the next look under the lock finds out.
 */
import { notify } from '../events.ts'

/** Reaches everyone who listens, in this tab too. */
export function call(name: string, message: unknown): void {
  notify(() => {
    const channel = new BroadcastChannel(name)
    channel.postMessage(message)
    channel.close()
  })
}

/** Returns what ends it. */
export function listen(name: string, listener: (message: unknown) => void): () => void {
  let channel: (BroadcastChannel & { unref?: () => void }) | undefined
  notify(() => {
    channel = new BroadcastChannel(name)
    channel.onmessage = ({ data }) => notify(listener, data)
    // Node has it too, and would stay alive for it.
    channel.unref?.()
  })
  return () => channel?.close()
}
