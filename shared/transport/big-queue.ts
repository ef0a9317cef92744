/**
 * Big messages that are not sent to the end, and whose turn it is. Those begun take turns frame by frame; they are no
 * more bytes together than the window, so that the receiver, whom bytes reach in order, has no more to keep. One that
 * is bigger than the window is begun apart from them, one such at a time.
 */
import type { OutgoingMessage } from './outgoing.ts'

export class BigMessage {
  readonly of: OutgoingMessage
  readonly type: number
  readonly headBytes: number
  readonly bytes: number
  readonly #chunks: readonly Uint8Array[] // head, then payload
  #chunk = 0 // the next byte is chunks[chunk][at]
  #at = 0
  #sentBytes = 0

  constructor(of: OutgoingMessage, type: number, head: readonly Uint8Array[], bytes: number) {
    this.of = of
    this.type = type
    this.headBytes = head.reduce((sum, { length }) => sum + length, 0)
    this.bytes = bytes
    this.#chunks = [...head, ...of.buffers]
  }

  get sentBytes(): number {
    return this.#sentBytes
  }

  get unsentBytes(): number {
    return this.bytes - this.#sentBytes
  }

  /** Hands the next `count` bytes, by reference, to `writer`. */
  write(count: number, writer: { raw(bytes: Uint8Array): void }): void {
    this.#sentBytes += count
    for (let left = count; left > 0;) {
      const chunk = this.#chunks[this.#chunk]!
      const part = Math.min(left, chunk.length - this.#at)
      if (part > 0) writer.raw(chunk.subarray(this.#at, this.#at + part))
      this.#at += part
      left -= part
      if (this.#at < chunk.length) continue
      this.#chunk += 1
      this.#at = 0
    }
  }
}

export class BigQueue {
  readonly #windowBytes: number
  readonly #waiting: BigMessage[] = [] // for room in the window, in order
  readonly #waitingGiants: BigMessage[] = [] // bigger than the window
  readonly #active: BigMessage[] = []
  #turn = 0 // index in #active
  #activeBytes = 0 // without the giant's
  #hasGiant = false // among the active ones

  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes
  }

  get isEmpty(): boolean {
    return this.#active.length + this.#waiting.length + this.#waitingGiants.length === 0
  }

  /** Unsent bytes of the biggest message. */
  get biggestBytes(): number {
    let biggest = 0
    for (const list of [this.#active, this.#waiting, this.#waitingGiants])
      for (const { unsentBytes } of list) biggest = Math.max(biggest, unsentBytes)
    return biggest
  }

  add(message: BigMessage): void {
    const waiting = this.#isGiant(message) ? this.#waitingGiants : this.#waiting
    waiting.push(message)
  }

  /** The message whose turn it is to send a frame, if there is any. */
  next(): BigMessage | undefined {
    this.#admit()
    if (this.#turn >= this.#active.length) this.#turn = 0
    return this.#active[this.#turn]
  }

  /** The message whose turn it was has sent a frame. */
  sent(): void {
    if (this.#active[this.#turn]!.unsentBytes === 0) this.#endActive(this.#turn)
    else this.#turn += 1
  }

  /** Takes out the message of a slot, undefined where there is none. */
  take(slot: number): BigMessage | undefined {
    for (const list of [this.#waiting, this.#waitingGiants]) {
      const index = list.findIndex(({ of }) => of.slot === slot)
      if (index >= 0) return list.splice(index, 1)[0]
    }
    const index = this.#active.findIndex(({ of }) => of.slot === slot)
    return index < 0 ? undefined : this.#endActive(index)
  }

  /** Takes out all. */
  takeAll(): BigMessage[] {
    return [...this.#active.splice(0), ...this.#waiting.splice(0), ...this.#waitingGiants.splice(0)]
  }

  #isGiant({ bytes }: BigMessage): boolean {
    return bytes > this.#windowBytes
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#activeBytes + this.#waiting[0]!.bytes <= this.#windowBytes) {
      const message = this.#waiting.shift()!
      this.#activeBytes += message.bytes
      this.#active.push(message)
    }
    if (this.#hasGiant || this.#waitingGiants.length === 0) return
    this.#hasGiant = true
    this.#active.push(this.#waitingGiants.shift()!)
  }

  /** It is begun no more: the window has room again. */
  #endActive(index: number): BigMessage {
    const [message] = this.#active.splice(index, 1)
    if (index < this.#turn) this.#turn -= 1
    if (this.#isGiant(message!)) this.#hasGiant = false
    else this.#activeBytes -= message!.bytes
    return message!
  }
}
