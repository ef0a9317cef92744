/** One request, answer or error as it comes in: what stands before its data, and the memory that its data goes to. */
import { release } from '#shared/binary/memory-pool.ts'
import type { ReceiveMemory } from './receive-memory.ts'

export class IncomingMessage {
  kind = 0
  slot = 0
  call = 0 // of a `cancel` frame: its reason
  deadlineMs = 0
  priority = 0
  version = 0
  traceId = ''
  headBytes = -1 // -1: not told, all of the data
  payloadBytes = 0
  chunkCount = 0
  hasPayload = false
  head: Buffer | null = null // null: not taken, or dropped
  payload: Buffer | null = null // held
  #received = 0

  /** Sets everything back. */
  start(kind: number): void {
    this.kind = kind
    this.slot = 0
    this.call = 0
    this.deadlineMs = 0
    this.priority = 0
    this.version = 0
    this.traceId = ''
    this.headBytes = -1
    this.payloadBytes = 0
    this.chunkCount = 0
    this.hasPayload = false
  }

  get bytes(): number {
    return this.headBytes + this.payloadBytes
  }

  get missingBytes(): number {
    return this.bytes - this.#received
  }

  /** The same without data. */
  copy(): IncomingMessage {
    const copy = new IncomingMessage()
    copy.kind = this.kind
    copy.slot = this.slot
    copy.call = this.call
    copy.deadlineMs = this.deadlineMs
    copy.priority = this.priority
    copy.version = this.version
    copy.traceId = this.traceId
    copy.headBytes = this.headBytes
    copy.payloadBytes = this.payloadBytes
    copy.chunkCount = this.chunkCount
    copy.hasPayload = this.hasPayload
    return copy
  }

  /** Takes memory for all of the data. */
  reserve(memory: ReceiveMemory): this {
    this.head = memory.head(this.headBytes)
    if (this.hasPayload) this.payload = memory.payload(this.payloadBytes)
    return this
  }

  /** What has come is given back, what comes is thrown away. */
  drop(): void {
    if (this.payload !== null) release(this.payload)
    this.head = null
    this.payload = null
  }

  /** Copies the next bytes of the data to their place. */
  add(bytes: Buffer, start: number, end: number): void {
    const from = this.#received
    this.#received = from + end - start
    const { head, headBytes } = this
    if (head === null) return
    const headEnd = Math.min(end, start + Math.max(0, headBytes - from))
    if (headEnd > start) bytes.copy(head, from, start, headEnd)
    if (headEnd < end) bytes.copy(this.payload!, from + headEnd - start - headBytes, headEnd, end)
  }
}
