/**
 * Chunk object (docs/object-format.md), all integers big-endian. It can be understood without any other state:
 *   batches   record batches back to back, as the producers sent them, sorted by (shard, topicId, partition, arrival)
 *   footer    head       formatVersion u16 | source: nodeId i32, nodeEpoch f64, nonce 8 bytes, lane u8 | chunkSeq f64 |
 *                        clusterId string i16 | partitionCount u32
 *             partition  shard u16 | topicId 16 bytes | partition u32 | batchCount u32
 *             batch      position u32 | length u32 | recordCount u32 | maxTimestamp f64 | crc u32 (the batch's own)
 *   trailer   footerLength u32 | CRC-32C of the footer u32 | magic u32                                         12 bytes
 * The payload is under the batches' own CRCs, which the footer repeats: no second pass over the bytes. The CRC of the
 * footer is the checksum of the chunk.
 */
import { crc32c } from '../binary/crc32c.ts'
import { Reader } from '../binary/reader.ts'
import { Writer } from '../binary/writer.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { ChunkRef } from './chunk-ref.ts'

export const CHUNK = { magic: 0x5a57_4348, formatVersion: 1, trailerBytes: 12 } as const

export type ChunkBatch = {
  readonly position: number; readonly length: number; readonly recordCount: number; readonly maxTimestamp: number;
  readonly crc: number
}
export type ChunkPartition = {
  readonly shard: number; readonly topicId: string; readonly partition: number; readonly batches: readonly ChunkBatch[]
}
export type ChunkFooter =
  { readonly ref: ChunkRef; readonly clusterId: string; readonly partitions: readonly ChunkPartition[] }

/** Lays out footer and trailer. @returns the bytes that follow the batches, and the chunk's checksum. */
export function encodeFooter({ ref, clusterId, partitions }: ChunkFooter): {
  readonly bytes: Uint8Array; readonly checksum: number
} {
  const w = new Writer(1024)
  w.uint16(CHUNK.formatVersion)
  w.int32(ref.source.nodeId)
  w.float64(ref.source.nodeEpoch)
  w.raw(Buffer.from(ref.source.nonce, 'hex'))
  w.uint8(ref.source.lane)
  w.float64(ref.chunkSeq)
  w.string(clusterId, false)
  w.uint32(partitions.length)
  for (const { shard, topicId, partition, batches } of partitions) {
    w.uint16(shard)
    w.uuid(topicId)
    w.uint32(partition)
    w.uint32(batches.length)
    for (const batch of batches) {
      w.uint32(batch.position)
      w.uint32(batch.length)
      w.uint32(batch.recordCount)
      w.float64(batch.maxTimestamp)
      w.uint32(batch.crc)
    }
  }
  const footer = Buffer.concat(w.finish())
  const bytes = Buffer.allocUnsafe(footer.byteLength + CHUNK.trailerBytes)
  bytes.set(footer)
  const checksum = crc32c(footer)
  bytes.writeUInt32BE(footer.byteLength, footer.byteLength)
  bytes.writeUInt32BE(checksum, footer.byteLength + 4)
  bytes.writeUInt32BE(CHUNK.magic, footer.byteLength + 8)
  return { bytes, checksum }
}

export type Trailer = { readonly footerBytes: number; readonly checksum: number }

/** Reads the last 12 bytes of a chunk. @throws ZonewiseError OBJECT_CORRUPT */
export function decodeTrailer(key: string, bytes: Uint8Array): Trailer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.byteLength !== CHUNK.trailerBytes || view.getUint32(8) !== CHUNK.magic)
    throw new ZonewiseError('OBJECT_CORRUPT', 'chunk has no trailer', { key })
  return { footerBytes: view.getUint32(0), checksum: view.getUint32(4) }
}

/** Reads a footer. @throws ZonewiseError OBJECT_CORRUPT, FORMAT_TOO_NEW */
export function decodeFooter(key: string, footer: Uint8Array, checksum: number): ChunkFooter {
  if (crc32c(footer) !== checksum) {
    throw new ZonewiseError('OBJECT_CORRUPT', 'footer of a chunk does not match its checksum', { key })
  }
  const r = new Reader(footer)
  const version = r.uint16()
  if (version !== CHUNK.formatVersion) {
    throw new ZonewiseError('FORMAT_TOO_NEW', 'chunk has an unknown format', { key, version })
  }
  const source =
    { nodeId: r.int32(), nodeEpoch: r.float64(), nonce: Buffer.from(r.slice(8)).toString('hex'), lane: r.uint8() }
  const chunkSeq = r.float64()
  const clusterId = r.string(false)
  const partitions = Array.from({ length: r.uint32() }, (): ChunkPartition => ({
    shard: r.uint16(), topicId: r.uuid(), partition: r.uint32(),
    batches: Array.from({ length: r.uint32() }, (): ChunkBatch => ({
      position: r.uint32(), length: r.uint32(), recordCount: r.uint32(), maxTimestamp: r.float64(), crc: r.uint32()
    }))
  }))
  r.expectEnd()
  return { ref: { source, chunkSeq }, clusterId, partitions }
}
