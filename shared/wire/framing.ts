/**
 * Frames of the Kafka protocol: four bytes of length (without themselves), a header, a body.
 * Writing: a frame is a list of chunks, payload by reference. Reading: `FrameSplitter` cuts a stream into frames.
 */
import { decodeMessage, encodeMessage } from '../binary/message.ts'
import { Reader } from '../binary/reader.ts'
import { Writer } from '../binary/writer.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { Api } from './api-registry.ts'
import { decodeResponseHeader, encodeRequestHeader, encodeResponseHeader } from './request-header.ts'

const LENGTH_BYTES = 4
const HELD_COUNT_MAX = 1024 // chunks, then they are joined: sending byte by byte must not fill memory with views

/** The chunks of a whole response frame, its length first. @throws ZonewiseError FRAME_INVALID as `encodeMessage`. */
export function encodeResponseFrame<Response>(
  api: Api<unknown, Response>, version: number, correlationId: number, body: Response
): Uint8Array[] {
  const writer = openFrame()
  encodeResponseHeader(api, version, correlationId, writer)
  encodeMessage(api.response, version, body, writer)
  return closeFrame(writer)
}

/** The chunks of a whole request frame, its length first. */
export function encodeRequestFrame<Request>(
  api: Api<Request, unknown>,
  header: { readonly version: number; readonly correlationId: number; readonly clientId: string | null },
  body: Request
): Uint8Array[] {
  const { version: apiVersion, correlationId, clientId } = header
  const writer = openFrame()
  encodeRequestHeader({ apiKey: api.apiKey, apiVersion, correlationId, clientId }, writer)
  encodeMessage(api.request, apiVersion, body, writer)
  return closeFrame(writer)
}

/**
 * Reads a request's body after its header. What is left over stays in the reader, for nobody: Kafka does not look at
 * it, and librdkafka 2.15 leaves three bytes behind a Metadata request for all topics.
 * @throws ZonewiseError FRAME_INVALID
 */
export function decodeRequestBody<Request>(api: Api<Request, unknown>, version: number, reader: Reader): Request {
  return decodeMessage(api.request, version, reader)
}

/** Reads a response frame (without its length). @throws ZonewiseError FRAME_INVALID */
export function decodeResponseFrame<Response>(
  api: Api<unknown, Response>, version: number, frame: Uint8Array
): { readonly correlationId: number; readonly body: Response } {
  const reader = new Reader(frame)
  const correlationId = decodeResponseHeader(api, version, reader)
  const body = decodeMessage(api.response, version, reader)
  reader.expectEnd()
  return { correlationId, body }
}

function openFrame(): Writer {
  const writer = new Writer()
  writer.int32(0) // the length, known at the end
  return writer
}

function closeFrame(writer: Writer): Uint8Array[] {
  const length = writer.byteLength - LENGTH_BYTES
  const chunks = writer.finish()
  const first = chunks[0]!
  new DataView(first.buffer, first.byteOffset, LENGTH_BYTES).setInt32(0, length)
  return chunks
}

/**
 * Cuts a stream of bytes into frames. A frame that lies inside one chunk is a view of it; a frame over several chunks
 * is joined once, when its last byte is here. Memory held: at most `frameBytesMax` plus one chunk.
 */
export class FrameSplitter {
  readonly #frameBytesMax: number
  #chunks: Uint8Array[] = [] // of the frame that is not complete
  #joinedCount = 0 // of `#chunks`, at its head, already joined out of many
  #held = 0
  #needed = LENGTH_BYTES // bytes until the next decision

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax
  }

  /** Bytes held of a frame that is not complete. */
  get heldBytes(): number {
    return this.#held
  }

  /**
   * Takes the next bytes (which must not change while a frame of them is in use) and returns the frames they complete,
   * without their lengths. @throws ZonewiseError FRAME_INVALID for a negative length or one above the bound: close.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    if (this.#held + chunk.length < this.#needed) {
      this.#hold(chunk)
      return []
    }
    const frames: Uint8Array[] = []
    let bytes = this.#join(chunk)
    for (;;) {
      if (bytes.length < LENGTH_BYTES) break
      const length = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getInt32(0)
      if (length < 0 || length > this.#frameBytesMax) {
        throw new ZonewiseError('FRAME_INVALID', 'frame length out of bounds', { length, max: this.#frameBytesMax })
      }
      this.#needed = LENGTH_BYTES + length
      if (bytes.length < this.#needed) break
      frames.push(bytes.subarray(LENGTH_BYTES, this.#needed))
      bytes = bytes.subarray(this.#needed)
      this.#needed = LENGTH_BYTES
    }
    if (bytes.length > 0) this.#hold(bytes)
    return frames
  }

  #hold(bytes: Uint8Array): void {
    this.#chunks.push(bytes)
    this.#held += bytes.length
    if (this.#chunks.length - this.#joinedCount < HELD_COUNT_MAX) return
    this.#chunks.push(Buffer.concat(this.#chunks.splice(this.#joinedCount)))
    this.#joinedCount++
  }

  #join(chunk: Uint8Array): Uint8Array {
    if (this.#held === 0) return chunk
    const joined = Buffer.concat([...this.#chunks, chunk], this.#held + chunk.length)
    this.#chunks = []
    this.#joinedCount = 0
    this.#held = 0
    return joined
  }
}
