/** A call of this node that is not answered: what is sent for it, and who waits. */
import assert from 'node:assert/strict'
import { release, releaseAll, retain } from '#shared/binary/memory-pool.ts'
import { decodeMessage, encodeMessage } from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import type { Writer } from '#shared/binary/writer.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { LedgerCell } from '#shared/ledger/ledger.ts'
import type { Deadlines, Expiring } from '#shared/runtime/deadlines.ts'
import { type AnyCall, NO_PAYLOAD } from './any-call.ts'
import type { Cells } from './call-cells.ts'
import { CANCEL, EXTENSION } from './frame.ts'
import type { Head, Payload } from './frame-reader.ts'
import { isBig } from './in-flight-bytes.ts'
import type { OutgoingMessage } from './outgoing.ts'
import type { CallOptions, CallReply } from './transport.ts'

/** Who has to know when a caller waits no more. */
export type CallOwner = { givenUp(pending: PendingCall, reason: number): void }

export type PendingParts = { readonly node: number; readonly deadlines: Deadlines }

const DEADLINE_MS_MAX = 2 ** 31
const PRIORITY_MAX = 15

export class PendingCall implements OutgoingMessage, Expiring {
  readonly call: AnyCall
  readonly buffers: readonly Uint8Array[]
  readonly promise: Promise<CallReply<unknown>>
  slot = -1
  /** Of head and payload, once sent. */
  bytes = 0
  version = 0
  #isSettled = false
  #cells: Cells | null = null
  #owner: CallOwner | null = null
  readonly #request: unknown
  readonly #options: CallOptions
  readonly #parts: PendingParts
  readonly #resolve: (reply: CallReply<unknown>) => void
  readonly #reject: (error: unknown) => void
  readonly #bucket: number // of its deadline; -1: none
  #hasWaited = false
  readonly #onAbort: (() => void) | null = null

  constructor(call: AnyCall, request: unknown, options: CallOptions, parts: PendingParts) {
    const { deadlineMs, signal, payload = NO_PAYLOAD } = options
    this.call = call
    this.buffers = payload
    this.#request = request
    this.#options = options
    this.#parts = parts
    const { promise, resolve, reject } = Promise.withResolvers<CallReply<unknown>>()
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
    const hasDeadline = deadlineMs > 0 && deadlineMs < DEADLINE_MS_MAX
    this.#bucket = hasDeadline ? parts.deadlines.add(deadlineMs, this) : -1
    if (signal !== undefined) {
      this.#onAbort = () => this.#giveUp(CANCEL.givenUp, signal.reason)
      signal.addEventListener('abort', this.#onAbort, { once: true })
    }
  }

  /** Nobody waits any more. */
  get isSettled(): boolean {
    return this.#isSettled
  }

  get headCell(): LedgerCell {
    return this.#cells!.head
  }

  get payloadCell(): LedgerCell | null {
    return this.#cells!.payload
  }

  get isExtended(): boolean {
    const { priority = 0, traceId = '' } = this.#options
    return priority !== 0 || this.version !== 0 || traceId !== ''
  }

  /** It is not sent at once: less of its time will be left. */
  wait(): void {
    this.#hasWaited = true
  }

  /** To be told when the caller gives up. */
  ownedBy(owner: CallOwner): void {
    this.#owner = owner
  }

  /** Makes it ready to be sent. */
  prepare(slot: number, version: number, cells: Cells): void {
    this.slot = slot
    this.version = version
    this.#cells = cells
  }

  writePrefix(writer: Writer): void {
    writer.uvarint(this.slot)
    writer.uvarint(this.call.id)
    writer.uvarint(this.#leftMs())
    if (!this.isExtended) return
    const { priority = 0, traceId = '' } = this.#options
    const { version } = this
    const isTraced = traceId !== ''
    assert(Number.isInteger(priority) && priority >= 0 && priority <= PRIORITY_MAX)
    assert(!isTraced || /^[0-9a-f]{32}$/i.test(traceId))
    const isVersioned = version !== 0
    const bits = (isTraced ? EXTENSION.traced : 0) | (isVersioned ? EXTENSION.versioned : 0)
    writer.uint8((priority << EXTENSION.priorityShift) | bits)
    if (isTraced) writer.raw(Buffer.from(traceId, 'hex'))
    if (isVersioned) writer.uint8(version)
  }

  writeHead(writer: Writer): void {
    encodeMessage(this.call.request, this.version, this.#request, writer)
  }

  answered({ memory, start, end }: Head, { buffers: payload, block }: Payload): void {
    if (this.#isSettled) {
      if (block !== null) release(block)
      return
    }
    this.#settle()
    if (block !== null) holdEach(block, payload)
    try {
      const reader = new Reader(memory, start, end)
      const response = decodeMessage(this.call.response, this.version, reader)
      reader.expectEnd()
      this.#resolve({ response, payload })
    } catch (error) {
      releaseAll(payload)
      this.#reject(error)
    }
  }

  fail(error: unknown): void {
    if (this.#isSettled) return
    this.#settle()
    this.#reject(error)
  }

  expire(): void {
    const context = { node: this.#parts.node, call: this.call.name, deadlineMs: this.#options.deadlineMs }
    this.#giveUp(CANCEL.timedOut, new ZonewiseError('RPC_TIMED_OUT', 'no answer in time', context))
  }

  /** What is left of the caller's wait; 0: it waits for ever. */
  #leftMs(): number {
    if (this.#bucket < 0) return 0
    const { deadlineMs } = this.#options
    const isLater = this.#hasWaited || isBig(this.bytes) // a big one may have waited for room
    const leftMs = isLater ? Math.min(deadlineMs, this.#parts.deadlines.leftMs(this.#bucket)) : deadlineMs
    return Math.max(1, Math.ceil(leftMs))
  }

  #giveUp(reason: number, error: unknown): void {
    if (this.#isSettled) return
    this.fail(error)
    this.#owner?.givenUp(this, reason)
  }

  #settle(): void {
    this.#isSettled = true
    if (this.#bucket >= 0) this.#parts.deadlines.remove(this.#bucket, this)
    if (this.#onAbort !== null) this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }
}

/** Makes one hold of a block into a hold for each of the buffers in it; those that are empty stand for none. */
function holdEach(block: Uint8Array, buffers: readonly Uint8Array[]): void {
  for (const { byteLength } of buffers) if (byteLength > 0) retain(block)
  release(block)
}
