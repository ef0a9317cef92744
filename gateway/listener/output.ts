/**
 * What one connection has yet to send: chunks of answers by reference, held. The socket gets no more than a portion
 * before the kernel has taken it. A client that does not read must not keep memory from others: until it has shown that
 * it reads, portions are copied out of shared blocks, and what has waited too long is let go, to be read again from the
 * store when the client reads on.
 */
import { release, retain } from '#shared/binary/memory-pool.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Socket } from '#shared/runtime/network.ts'
import type { AnswerBytes } from './answer-bytes.ts'

const PORTION_BYTES = 256 * 1_024
const COPIED_PORTION_BYTES = 64 * 1_024
const SMALL_BYTES = 4_096
const FAST_MS = 20 // a client that took a portion in less is given the next by reference

/** Bytes that can be had again. */
export type Stored = {
  readonly length: number
  /** A copy in `take`n memory. @throws ZonewiseError: they cannot be had now */
  load(take: Take): Promise<Uint8Array>
}
/** How a chunk can be had again, or null: it is nowhere else. */
export type ReadAgain = (chunk: Uint8Array) => Stored | null
/** Memory for copies, held. */
export type Take = (length: number) => Uint8Array

export type OutputParts = {
  readonly socket: Socket
  readonly count: AnswerBytes // of what is in memory
  readonly nowMs: () => number
  readonly take: Take
  /** Called whenever the kernel has taken what the socket was given. */
  readonly onTaken: () => void
  /** What was let go cannot be had again: the connection must end. */
  readonly onLost: (error: ZonewiseError) => void
}

type Queued = { readonly piece: Uint8Array | Stored; readonly readAgain: ReadAgain | null }

export class Output {
  readonly #parts: OutputParts
  #queue: Queued[] = []
  #bytes = 0 // of the queue
  #portion: readonly Uint8Array[] = [] // given to the socket, not taken yet
  #portionBytes = 0
  #portionMs = 0 // when it was given
  #isFast = false
  #isLoading = false
  #movedMs = 0 // when something was taken last, or queued while there was nothing
  #oldestMs = Infinity // when the oldest chunk came that may be let go

  constructor(parts: OutputParts) {
    this.#parts = parts
  }

  /** Bytes that the kernel has not taken yet. */
  get bytes(): number {
    return this.#bytes + this.#portionBytes
  }

  /** Whether `flush` would give the socket something, or go for it. */
  get isReady(): boolean {
    return this.#portionBytes === 0 && this.#bytes > 0 && !this.#isLoading
  }

  /** For how long the client has read nothing of what is here. */
  stalledMs(): number {
    return this.bytes === 0 ? 0 : this.#parts.nowMs() - this.#movedMs
  }

  /** Queues the chunks of an answer and holds them. @returns their bytes */
  push(chunks: readonly Uint8Array[], readAgain: ReadAgain | null): number {
    const nowMs = this.#parts.nowMs()
    if (this.bytes === 0) this.#movedMs = nowMs
    if (this.#oldestMs === Infinity && readAgain !== null) this.#oldestMs = nowMs
    let bytes = 0
    for (const chunk of chunks) {
      retain(chunk)
      this.#queue.push({ piece: chunk, readAgain })
      bytes += chunk.length
    }
    this.#bytes += bytes
    this.#parts.count.add(bytes)
    return bytes
  }

  /** Gives the socket the next portion, if it has none. */
  flush(): void {
    if (!this.isReady) return
    const bytesMax = this.#isFast ? PORTION_BYTES : COPIED_PORTION_BYTES
    const chunks: Uint8Array[] = []
    let bytes = 0
    for (const { piece } of this.#queue) {
      if (!(piece instanceof Uint8Array) || bytes >= bytesMax) break
      chunks.push(piece)
      bytes += piece.length
    }
    if (chunks.length === 0) {
      void this.#load(this.#queue[0]!.piece as Stored)
      return
    }
    this.#queue.splice(0, chunks.length)
    this.#bytes -= bytes
    if (this.#bytes === 0) this.#oldestMs = Infinity
    this.#portion = this.#isFast ? this.#joinSmall(chunks) : [this.#join(chunks, bytes)]
    this.#portionBytes = bytes
    this.#portionMs = this.#parts.nowMs()
    this.#parts.socket.write(this.#portion, this.#taken)
  }

  /** Lets go of what has waited for longer than `ms` and can be had again. */
  letGo(ms: number): void {
    if (this.#parts.nowMs() - this.#oldestMs < ms) return
    this.#oldestMs = Infinity
    this.#queue = this.#queue.map((queued) => {
      const { piece, readAgain } = queued
      const stored = piece instanceof Uint8Array ? readAgain?.(piece) ?? null : null
      if (stored === null) return queued
      this.#forget(piece as Uint8Array)
      return { piece: stored, readAgain: null }
    })
  }

  /** Forgets what the socket has not got: it is gone, or will be. */
  drop(): void {
    for (const { piece } of this.#queue) if (piece instanceof Uint8Array) this.#forget(piece)
    this.#queue = []
    this.#bytes = 0
    this.#oldestMs = Infinity
  }

  #forget(chunk: Uint8Array): void {
    this.#parts.count.add(-chunk.length)
    release(chunk)
  }

  async #load(stored: Stored): Promise<void> {
    this.#isLoading = true
    try {
      const bytes = await stored.load(this.#parts.take)
      if (this.#queue[0]?.piece !== stored) return release(bytes) // dropped meanwhile
      this.#queue[0] = { piece: bytes, readAgain: null }
      this.#parts.count.add(bytes.length)
    } catch (error) {
      if (this.#queue[0]?.piece !== stored) return // nobody waits for it
      if (!(error instanceof ZonewiseError)) throw error
      return this.#parts.onLost(error)
    } finally {
      this.#isLoading = false
    }
    this.flush()
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
    this.#isFast = this.#movedMs - this.#portionMs < FAST_MS
    this.#parts.count.add(-bytes)
    this.#parts.onTaken()
  }
}
