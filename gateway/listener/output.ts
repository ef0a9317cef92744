/**
 * What one connection has yet to send: chunks of answers by reference, held. The socket gets no more than a portion
 * before the kernel has taken it: what a client does not read stays here, where it is counted, copied out of the memory
 * that it would keep from being used again, and can be given up.
 */
import { release, retain } from '#shared/binary/memory-pool.ts'
import type { Socket } from '#shared/runtime/network.ts'
import type { AnswerBytes } from './answer-bytes.ts'

const PORTION_BYTES = 256 * 1_024
const SMALL_BYTES = 4_096

export type OutputParts = {
  readonly socket: Socket
  readonly count: AnswerBytes
  readonly nowMs: () => number
  /** Called whenever the kernel has taken what the socket was given. */
  readonly onTaken: () => void
  /** Memory for copies, held. */
  readonly take: (length: number) => Uint8Array
}

export class Output {
  readonly #parts: OutputParts
  #queue: Uint8Array[] = []
  #bytes = 0 // of the queue
  #portion: readonly Uint8Array[] = [] // given to the socket, not taken yet
  #portionBytes = 0
  #movedMs = 0 // when something was taken last, or queued while there was nothing
  #oldestMs = Infinity // when the oldest chunk of the queue came that is not a copy

  constructor(parts: OutputParts) {
    this.#parts = parts
  }

  /** Bytes that the kernel has not taken yet. */
  get bytes(): number {
    return this.#bytes + this.#portionBytes
  }

  /** Whether `flush` would give the socket something. */
  get isReady(): boolean {
    return this.#portionBytes === 0 && this.#bytes > 0
  }

  /** For how long the client has read nothing of what is here. */
  stalledMs(): number {
    return this.bytes === 0 ? 0 : this.#parts.nowMs() - this.#movedMs
  }

  /** Queues the chunks of an answer and holds them. @returns their bytes */
  push(chunks: readonly Uint8Array[]): number {
    const nowMs = this.#parts.nowMs()
    if (this.bytes === 0) this.#movedMs = nowMs
    if (this.#oldestMs === Infinity) this.#oldestMs = nowMs
    let bytes = 0
    for (const chunk of chunks) {
      retain(chunk)
      this.#queue.push(chunk)
      bytes += chunk.length
    }
    this.#bytes += bytes
    this.#parts.count.add(bytes)
    return bytes
  }

  /** Gives the socket the next portion, if it has none. */
  flush(): void {
    if (!this.isReady) return
    let bytes = 0
    let count = 0
    while (count < this.#queue.length && bytes < PORTION_BYTES) bytes += this.#queue[count++]!.length
    this.#portion = this.#joinSmall(this.#queue.splice(0, count))
    this.#portionBytes = bytes
    this.#bytes -= bytes
    if (this.#bytes === 0) this.#oldestMs = Infinity
    this.#parts.socket.write(this.#portion, this.#taken)
  }

  /**
   * Copies what has waited for longer than `ms` into memory of its own: one batch that a slow client has yet to read
   * would keep a whole block of others from being used again.
   */
  copyOut(ms: number): void {
    if (this.#parts.nowMs() - this.#oldestMs < ms) return
    this.#queue = [this.#join(this.#queue, this.#bytes)]
    this.#oldestMs = Infinity
  }

  /** Forgets what the socket has not got: it is gone, or will be. */
  drop(): void {
    for (const chunk of this.#queue) release(chunk)
    this.#queue = []
    this.#parts.count.add(-this.#bytes)
    this.#bytes = 0
    this.#oldestMs = Infinity
  }

  /** Copies neighbours that are small together: each would cost the socket more than its bytes do. */
  #joinSmall(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
    const joined: Uint8Array[] = []
    for (let from = 0; from < chunks.length;) {
      let [to, bytes] = [from, 0]
      while (to < chunks.length && chunks[to]!.length <= SMALL_BYTES) bytes += chunks[to++]!.length
      if (to - from < 2) joined.push(chunks[from++]!)
      else {
        joined.push(this.#join(chunks.slice(from, to), bytes))
        from = to
      }
    }
    return joined
  }

  /** One copy of chunks that are let go. */
  #join(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
    const copy = this.#parts.take(bytes)
    let at = 0
    for (const chunk of chunks) {
      copy.set(chunk, at)
      at += chunk.length
      release(chunk)
    }
    return copy
  }

  readonly #taken = (): void => {
    const bytes = this.#portionBytes
    for (const chunk of this.#portion) release(chunk)
    this.#portion = []
    this.#portionBytes = 0
    this.#movedMs = this.#parts.nowMs()
    this.#parts.count.add(-bytes)
    this.#parts.onTaken()
  }
}
