/** An error on its way to the caller, in place of an answer. */
import type { Writer } from '#shared/binary/writer.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { LedgerCell } from '#shared/ledger/ledger.ts'
import { NO_PAYLOAD } from './any-call.ts'
import { encodeError } from './carried-error.ts'
import type { OutgoingMessage } from './outgoing.ts'

const BYTES_MAX = 2 ** 16 // above it the context is left out: an error is one frame

export class ErrorAnswer implements OutgoingMessage {
  readonly slot: number
  readonly headCell: LedgerCell
  readonly payloadCell = null
  readonly isExtended = false
  readonly buffers = NO_PAYLOAD
  readonly #bytes: Uint8Array

  constructor(slot: number, headCell: LedgerCell, error: ZonewiseError) {
    this.slot = slot
    this.headCell = headCell
    const bytes = encodeError(error)
    this.#bytes = bytes.length <= BYTES_MAX ? bytes : encodeError(new ZonewiseError(error.code, error.message))
  }

  writePrefix(writer: Writer): void {
    writer.uvarint(this.slot)
  }

  writeHead(writer: Writer): void {
    writer.raw(this.#bytes)
  }
}
