/** Streams of frames as a caller and a server write them, for tests of the reader. */
import { crc32 } from 'node:zlib'
import { MemoryPool, release } from '#shared/binary/memory-pool.ts'
import type { Writer } from '#shared/binary/writer.ts'
import type { LedgerCell } from '#shared/ledger/ledger.ts'
import type { Socket } from '#shared/runtime/network.ts'
import { EXTENSION, KIND } from '#shared/transport/frame.ts'
import { FrameReader, type Head, type MessageSink, type Payload, type ReaderLimits } from '#shared/transport/frame-reader.ts'
import type { IncomingMessage } from '#shared/transport/incoming-message.ts'
import { Outgoing, type OutgoingMessage } from '#shared/transport/outgoing.ts'
import { ReceiveMemory } from '#shared/transport/receive-memory.ts'

export const OF_CALLER = [KIND.request, KIND.cancel, KIND.more, KIND.ping] as const
export const OF_SERVER = [KIND.answer, KIND.error, KIND.cancelled, KIND.more, KIND.ping] as const
export const LIMITS: ReaderLimits = { kinds: OF_CALLER, slotsMax: 1_000, messageBytesMax: 10_000_000, windowBytes: 4_000_000 }

/** Writes down what it hears, as one text a message; throws away big messages in the slots of `unwanted`. */
export class RecordingSink implements MessageSink {
  readonly heard: string[] = []
  readonly unwanted = new Set<number>()

  begins({ slot }: IncomingMessage): boolean { return !this.unwanted.has(slot) }

  message(frame: IncomingMessage, { memory, start, end }: Head, payload: Payload): void {
    const { kind, slot, call, deadlineMs, priority, version, traceId } = frame
    const sums = payload.buffers.map((chunk) => `${chunk.length}:${sum(chunk)}`).join(',')
    this.heard.push(`${kind} ${slot} ${call} ${deadlineMs} ${priority} ${version} ${traceId} head ${end - start}:${sum(memory.subarray(start, end))} payload ${sums}`)
    if (payload.block !== null) release(payload.block)
  }

  dropped(slot: number): void { this.heard.push(`dropped ${slot}`) }
  cancel(slot: number, reason: number): void { this.heard.push(`cancel ${slot} ${reason}`) }
  cancelled(slot: number): void { this.heard.push(`cancelled ${slot}`) }
}

const sum = (bytes: Uint8Array): string => crc32(bytes).toString(16)

export function newReader(limits: Partial<ReaderLimits> = {}): { readonly reader: FrameReader; readonly sink: RecordingSink; readonly pool: MemoryPool } {
  const sink = new RecordingSink()
  const pool = new MemoryPool({ regionBytes: 2 ** 20, poison: true })
  return { sink, pool, reader: new FrameReader(sink, new ReceiveMemory(pool), { ...LIMITS, ...limits }) }
}

type Sample = { readonly kind: number; readonly slot: number; readonly call?: number; readonly head: Uint8Array; readonly payload?: readonly Uint8Array[]
  readonly deadlineMs?: number; readonly priority?: number; readonly traceId?: string }

/** What an `Outgoing` sends for a message of any content. */
export function sample({ kind, slot, call = 0, head, payload = [], deadlineMs = 0, priority = 0, traceId = '' }: Sample, cell: LedgerCell): OutgoingMessage {
  const isExtended = priority !== 0 || traceId !== ''
  return {
    slot, buffers: payload, headCell: cell, payloadCell: cell, isExtended,
    writePrefix: (writer: Writer) => {
      writer.uvarint(slot)
      if (kind !== KIND.request) return
      writer.uvarint(call)
      writer.uvarint(deadlineMs)
      if (!isExtended) return
      writer.uint8((priority << EXTENSION.priorityShift) | (traceId === '' ? 0 : EXTENSION.traced))
      if (traceId !== '') writer.raw(Buffer.from(traceId, 'hex'))
    },
    writeHead: (writer: Writer) => { writer.raw(head) }
  }
}

/** An `Outgoing` over a socket that takes everything at once. */
export function newOutgoing(windowBytes = 4_000_000): { readonly out: Outgoing; readonly sent: () => Buffer; readonly cell: LedgerCell; readonly chunks: Uint8Array[] } {
  const chunks: Uint8Array[] = []
  const cell: LedgerCell = { bytes: 0, requests: 0 }
  const socket: Socket = {
    remoteAddress: '127.0.0.1', remotePort: 1, bufferedBytes: 0, write: (more) => { chunks.push(...more) }, pause() {}, resume() {}, end() {}, destroy() {}
  }
  const turns: (() => void)[] = []
  const out = new Outgoing({ socket, timer: { after: () => () => {}, soon: (fn) => { turns.push(fn) } }, windowBytes, cell, onRoom: () => {} })
  return {
    out, cell, chunks,
    sent: () => {
      while (turns.length > 0) turns.shift()!()
      return Buffer.concat(chunks.splice(0))
    }
  }
}

/** All kinds of frames that a caller sends, big messages between small ones. */
export function callerStream(): Buffer {
  const { out, sent, cell } = newOutgoing()
  const bytes = (count: number, seed: number): Buffer => Buffer.from(Array.from({ length: count }, (_, i) => (i * 7 + seed) & 0xff))
  const request = (one: Omit<Sample, 'kind'>): void => { out.send(KIND.request, sample({ ...one, kind: KIND.request }, cell), Infinity) }
  request({ slot: 0, call: 1, head: bytes(113, 1), deadlineMs: 10_000 })
  request({ slot: 130, call: 900, head: bytes(0, 0), priority: 5, traceId: '000102030405060708090a0b0c0d0e0f' })
  request({ slot: 2, call: 5, head: bytes(20, 2), payload: [bytes(3, 3), bytes(0, 0), bytes(700, 4)] })
  request({ slot: 3, call: 5, head: bytes(200_000, 5) })
  request({ slot: 4, call: 5, head: bytes(10, 6), payload: [bytes(140_000, 7), bytes(1, 8)], priority: 15 })
  out.ping()
  out.cancel(0, 2, cell)
  request({ slot: 5, call: 5, head: bytes(10, 9), payload: [bytes(2_000, 10)] })
  return sent()
}
