/** A call of a peer in work here: what its handler sees of the caller, and what is sent for it. */
import { release } from '#shared/binary/memory-pool.ts'
import { encodeMessage } from '#shared/binary/message.ts'
import type { Writer } from '#shared/binary/writer.ts'
import type { LedgerCell } from '#shared/ledger/ledger.ts'
import { type AnyCall, NO_PAYLOAD } from './any-call.ts'
import type { Cells } from './call-cells.ts'
import type { PeerIdentity } from './handshake.ts'
import type { Payload } from './frame-reader.ts'
import type { IncomingMessage } from './incoming-message.ts'
import type { OutgoingMessage } from './outgoing.ts'
import type { CallContext } from './transport.ts'

export type ServedParts = {
  readonly call: AnyCall
  readonly cells: Cells
  readonly peer: PeerIdentity
  readonly payload: Payload
  readonly dueTick: number
}

export class ServedCall implements CallContext, OutgoingMessage {
  readonly call: AnyCall
  readonly slot: number
  readonly fromNode: number
  readonly fromZone: string
  readonly payload: readonly Uint8Array[]
  readonly deadlineMs: number
  readonly priority: number
  readonly traceId: string
  readonly isExtended = false
  readonly bytes: number // of the request
  /** Tick of the stream at which the caller's wait is over; Infinity: never. */
  readonly dueTick: number
  buffers: readonly Uint8Array[] = NO_PAYLOAD
  #block: Buffer | null // of the payload, held until the handler has answered
  readonly #version: number
  readonly #cells: Cells
  #response: unknown = null
  #controller: AbortController | null = null // made only for a handler that looks
  #gaveUp: unknown = null

  constructor(frame: IncomingMessage, { call, cells, peer, payload, dueTick }: ServedParts) {
    this.call = call
    this.slot = frame.slot
    this.fromNode = peer.nodeId
    this.fromZone = peer.zone
    this.payload = payload.buffers
    this.#block = payload.block
    this.deadlineMs = frame.deadlineMs
    this.priority = frame.priority
    this.traceId = frame.traceId
    this.bytes = frame.bytes
    this.dueTick = dueTick
    this.#version = frame.version
    this.#cells = cells
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#gaveUp !== null) this.#controller.abort(this.#gaveUp)
    }
    return this.#controller.signal
  }

  get version(): number {
    return this.#version
  }

  get headCell(): LedgerCell {
    return this.#cells.head
  }

  get payloadCell(): LedgerCell | null {
    return this.#cells.payload
  }

  /** The request's payload is looked at no more. */
  release(): void {
    if (this.#block !== null) release(this.#block)
    this.#block = null
  }

  /** Nobody waits for the answer: the handler may stop. */
  abort(reason: unknown): void {
    if (this.#gaveUp !== null) return
    this.#gaveUp = reason
    this.#controller?.abort(reason)
  }

  /** What is sent from now on. */
  answer(response: unknown, payload: readonly Uint8Array[]): void {
    this.#response = response
    this.buffers = payload
  }

  writePrefix(writer: Writer): void {
    writer.uvarint(this.slot)
  }

  writeHead(writer: Writer): void {
    encodeMessage(this.call.response, this.#version, this.#response, writer)
  }
}
