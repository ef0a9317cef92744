/**
 * The records of a batch without their compression. gzip and zstd are unpacked on the engine's threads, snappy and lz4
 * here. For the rare cases that must look at records; nothing on the common path comes here.
 */
import { gunzip, zstdDecompress } from 'node:zlib'
import { BATCH, codecAt } from './batch-header.ts'
import { unpackLz4 } from './lz4.ts'
import { unpackSnappy } from './snappy.ts'

const CODEC = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

/**
 * Unpacks the records of one whole batch; of an uncompressed one it returns a view, at once.
 * Null: they cannot be unpacked, or hold more than `bytesMax`.
 */
export function unpackRecords(batch: Uint8Array, bytesMax: number): Uint8Array | null | Promise<Uint8Array | null> {
  const records = batch.subarray(BATCH.headerBytes)
  switch (codecAt(batch, 0)) {
    case CODEC.none: return records
    case CODEC.gzip: return onThread(gunzip, records, bytesMax)
    case CODEC.snappy: return unpackSnappy(records, bytesMax)
    case CODEC.lz4: return unpackLz4(records, bytesMax)
    case CODEC.zstd: return onThread(zstdDecompress, records, bytesMax)
    default: return null
  }
}

type Unpacker = (
  bytes: Uint8Array, options: { readonly maxOutputLength: number },
  done: (error: Error | null, unpacked: Buffer) => void
) => void

function onThread(unpack: Unpacker, bytes: Uint8Array, bytesMax: number): Promise<Uint8Array | null> {
  return new Promise((resolve) => {
    unpack(bytes, { maxOutputLength: bytesMax }, (error, unpacked) => { resolve(error === null ? unpacked : null) })
  })
}
