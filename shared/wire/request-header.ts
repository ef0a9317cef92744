/**
 * Headers of requests (v1, v2) and responses (v0, v1). The client id keeps its two-byte length in every version, and
 * the response of ApiVersions its header v0: a client may not know yet what we speak.
 *
 * | bytes | request header           | bytes | response header |
 * | ----- | ------------------------ | ----- | --------------- |
 * | 2     | API key                  | 4     | correlation id  |
 * | 2     | API version              | n     | tags (v1)       |
 * | 4     | correlation id           |       |                 |
 * | 2 + n | client id, -1 for null   |       |                 |
 * | n     | tags (v2)                |       |                 |
 */
import type { Reader } from '../binary/reader.ts'
import type { Writer } from '../binary/writer.ts'
import { API, apiByKey, isApiFlexible, type AnyApi } from './api-registry.ts'

export type RequestHeader = {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}

/**
 * Reads a header and leaves the reader at the body. Of an unknown API the tags stay unread: nothing after the client
 * id can be told apart. A version too new is no error here: ApiVersions has an answer to it.
 * @throws ZonewiseError FRAME_INVALID
 */
export function decodeRequestHeader(reader: Reader): RequestHeader {
  const apiKey = reader.int16()
  const apiVersion = reader.int16()
  const correlationId = reader.int32()
  const clientId = reader.nullableString(false)
  const api = apiByKey(apiKey)
  if (api !== null && isApiFlexible(api, apiVersion)) reader.skipTags()
  return { apiKey, apiVersion, correlationId, clientId }
}

export function encodeRequestHeader(header: RequestHeader, writer: Writer): void {
  writer.int16(header.apiKey)
  writer.int16(header.apiVersion)
  writer.int32(header.correlationId)
  writer.nullableString(header.clientId, false)
  const api = apiByKey(header.apiKey)
  if (api !== null && isApiFlexible(api, header.apiVersion)) writer.emptyTags()
}

function hasResponseTags(api: AnyApi, version: number): boolean {
  return api.apiKey !== API.apiVersions.apiKey && isApiFlexible(api, version)
}

/** Returns the correlation id and leaves the reader at the body. */
export function decodeResponseHeader(api: AnyApi, version: number, reader: Reader): number {
  const correlationId = reader.int32()
  if (hasResponseTags(api, version)) reader.skipTags()
  return correlationId
}

export function encodeResponseHeader(api: AnyApi, version: number, correlationId: number, writer: Writer): void {
  writer.int32(correlationId)
  if (hasResponseTags(api, version)) writer.emptyTags()
}
