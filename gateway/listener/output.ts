/**
 * What one connection has yet to send: answers as chunks by reference, with the holds on the memory they lie in. The
 * socket gets no more than a portion before the kernel has taken it: what a client does not read stays here, where it
 * can be counted and given up.
 */
import { releaseAll } from '#shared/binary/memory-pool.ts'
import type { Socket } from '#shared/runtime/network.ts'

type Sending = { readonly chunks: readonly Uint8Array[]; next: number; readonly held: readonly Uint8Array[] }

const PORTION_BYTES = 256 * 1_024

export class Output {
  readonly #socket: Socket
  readonly #onTaken: () => void
  #queue: Sending[] = []
  #bytes = 0
  #portionBytes = 0 // given to the socket, not taken yet; 0: none
  #finished: Sending[] = [] // whose last chunk is in the portion

  /** `onTaken` is called whenever the kernel has taken what the socket was given. */
  constructor(socket: Socket, onTaken: () => void) {
    this.#socket = socket
    this.#onTaken = onTaken
  }

  /** Bytes that the kernel has not taken yet. */
  get bytes(): number {
    return this.#bytes + this.#portionBytes
  }

  /** Whether `flush` would give the socket something. */
  get isReady(): boolean {
    return this.#portionBytes === 0 && this.#bytes > 0
  }

  /** Queues an answer; `held` is released when it is sent, or dropped. */
  push(chunks: readonly Uint8Array[], held: readonly Uint8Array[]): void {
    for (const chunk of chunks) this.#bytes += chunk.length
    this.#queue.push({ chunks, next: 0, held })
  }

  /** Gives the socket the next portion, if it has none. */
  flush(): void {
    if (!this.isReady) return
    const portion: Uint8Array[] = []
    let bytes = 0
    let taken = 0
    for (const sending of this.#queue) {
      for (; sending.next < sending.chunks.length && bytes < PORTION_BYTES; sending.next++) {
        const chunk = sending.chunks[sending.next]!
        portion.push(chunk)
        bytes += chunk.length
      }
      if (sending.next < sending.chunks.length) break
      this.#finished.push(sending)
      taken += 1
    }
    this.#queue.splice(0, taken)
    this.#bytes -= bytes
    this.#portionBytes = bytes
    this.#socket.write(portion, this.#taken)
  }

  /** Forgets what the socket has not got; the socket is gone, or will be. */
  drop(): void {
    for (const sending of this.#queue) {
      if (sending.next > 0 && this.#portionBytes > 0) this.#finished.push(sending) // the portion holds a part of it
      else releaseAll(sending.held)
    }
    this.#queue = []
    this.#bytes = 0
  }

  readonly #taken = (): void => {
    this.#portionBytes = 0
    for (const { held } of this.#finished) releaseAll(held)
    this.#finished = []
    this.#onTaken()
  }
}
