/** A proxy on loopback that delays what it passes on, and can lose the answer to a request that has been carried out. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** How long each piece is held up, in either direction, in milliseconds. @default 0 */
  delayMs: () => number
  /**
   * Waits for a request with this text, lets it through, and breaks its connection once the answer is there, which nobody gets.
   * Resolves when that has happened.
   */
  cutAfter(text: string): Promise<void>
  /** Breaks every connection there is; new ones are welcome. */
  drop(): void
}

export async function tcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const cuts: { text: string; done: () => void }[] = []

  const keep = (socket: Socket): Socket => {
    sockets.add(socket.setNoDelay(true))
    return socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  }
  /** In order, whatever each piece is held up for. */
  const pass = (from: Socket, to: Socket, onPiece: (piece: Buffer) => boolean): void => {
    let last = Promise.resolve()
    from.on('data', (piece) => {
      const isWanted = onPiece(piece)
      const delayMs = proxy.delayMs()
      const held = delayMs > 0 ? sleep(delayMs) : undefined
      last = last.then(async () => {
        await held
        if (isWanted && to.writable) to.write(piece)
      })
    })
    from.once('close', () => void last.then(() => to.destroy()))
  }

  const server = createServer((near) => {
    const far = keep(connect(targetPort, '127.0.0.1'))
    let cut: (() => void) | undefined
    pass(keep(near), far, (piece) => {
      const index = cuts.findIndex(({ text }) => piece.includes(text))
      if (index >= 0) cut = cuts.splice(index, 1)[0]?.done
      return true
    })
    pass(far, near, () => {
      if (!cut) return true
      near.destroy()
      far.destroy()
      cut()
      return false
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const drop = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    delayMs: () => 0,
    cutAfter: (text) => new Promise((done) => cuts.push({ text, done })),
    drop,
    async [Symbol.asyncDispose]() {
      drop()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}
