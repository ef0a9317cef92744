/** Sockets as arguments. One implementation over node:net (cli), one in memory (simulation). */

export type Socket = {
  readonly remoteAddress: string
  readonly remotePort: number
  /**
   * Queues `chunks` by reference; order is kept. `taken` is called once, never during the call, when they are not
   * looked at any more: the kernel has them, or the socket is gone. Until then the caller does not change them.
   */
  write(chunks: readonly Uint8Array[], taken?: () => void): void
  /** Bytes queued and not yet taken by the peer's kernel. */
  readonly bufferedBytes: number
  pause(): void
  resume(): void
  /** Sends what is queued, then FIN. */
  end(): void
  destroy(): void
}

export type SocketHandlers = {
  /** `bytes` is valid during the call only: copy what must stay. */
  data(bytes: Uint8Array): void
  /** bufferedBytes fell to zero. */
  drain(): void
  /** Called exactly once, last. */
  closed(error: Error | null): void
}

export type Listening = { readonly port: number; close(): Promise<void> }

export type Network = {
  /** @throws ZonewiseError PORT_IN_USE */
  listen(host: string, port: number, accept: (socket: Socket) => SocketHandlers): Promise<Listening>
  connect(host: string, port: number, handlers: SocketHandlers): Promise<Socket>
}
