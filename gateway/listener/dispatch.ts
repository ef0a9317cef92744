/** From the bytes of one request to its handler, and from the response to the bytes of the answer. */
import { Reader } from '#shared/binary/reader.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { API } from '#shared/wire/api-registry.ts'
import { decodeRequestBody, encodeResponseFrame } from '#shared/wire/framing.ts'
import { decodeRequestHeader } from '#shared/wire/request-header.ts'
import type { ServedApi, ServedTable } from '../api/served-table.ts'

export type ParsedRequest = {
  readonly served: ServedApi
  readonly version: number // of the answer
  readonly correlationId: number
  readonly clientId: string | null
  readonly body: unknown
}

const REQUEST_HEADER_BYTES_MIN = 8
const ELEMENTS_PER_PARTITION = 2 // of arrays: itself, and at most a topic around it

/** The API key of a frame, or -1 if it is too short: decides whether the request may join those in work. */
export function peekApiKey(frame: Buffer): number {
  return frame.length < REQUEST_HEADER_BYTES_MIN ? -1 : frame.readInt16BE(0)
}

/**
 * Reads one request. An ApiVersions too new for us is not read on: it is answered in version 0, with error 35 and our
 * range (PROTOCOL 3). A request that names more than `partitionsMax` could hold is given up before it fills the memory.
 * @throws ZonewiseError FRAME_INVALID for anything else that we do not serve or cannot read: Kafka
 * has no error body for it, the connection is closed (PROTOCOL 4).
 */
export function parseRequest(frame: Buffer, table: ServedTable, partitionsMax: number): ParsedRequest {
  const apiKey = peekApiKey(frame)
  const served = table.byKey[apiKey]
  if (served === undefined) throw new ZonewiseError('FRAME_INVALID', 'request of an unknown api', { apiKey })
  const askedVersion = frame.readInt16BE(2)
  if (apiKey === API.apiVersions.apiKey && askedVersion > served.versionMax) {
    return {
      served: table.apiVersionsTooNew, version: 0, correlationId: frame.readInt32BE(4), clientId: null, body: null
    }
  }
  if (askedVersion < served.versionMin || askedVersion > served.versionMax) {
    throw new ZonewiseError('FRAME_INVALID', 'request of an unknown version', { apiKey, version: askedVersion })
  }
  const reader = new Reader(frame, 0, frame.length, ELEMENTS_PER_PARTITION * partitionsMax)
  const { apiVersion: version, correlationId, clientId } = decodeRequestHeader(reader)
  const body = decodeRequestBody(served.api, version, reader)
  return { served, version, correlationId, clientId, body }
}

/** The chunks of the answer's frame; payload by reference. */
export function encodeAnswer(parsed: ParsedRequest, response: unknown): Uint8Array[] {
  return encodeResponseFrame(parsed.served.api, parsed.version, parsed.correlationId, response)
}
