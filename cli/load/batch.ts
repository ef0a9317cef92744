/** Record batches and request frames made once, before a load begins: incompressible records of one size. */
import { randomBytes } from 'node:crypto'
import { crc32c } from '#shared/binary/crc32c.ts'
import { BATCH } from '#shared/records/batch-header.ts'
import { API } from '#shared/wire/api-registry.ts'
import { encodeRequestFrame } from '#shared/wire/framing.ts'

export const CLIENT_ID = 'zonewise-bench'
const TIMEOUT_MS = 60_000

/** One batch that is not idempotent, with `recordCount` records of `valueBytes` each. */
export function newBatch(recordCount: number, valueBytes: number): Buffer {
  const records = Array.from({ length: recordCount }, (_, i) => record(i, randomBytes(valueBytes)))
  const body = Buffer.concat(records)
  const header = Buffer.alloc(BATCH.headerBytes)
  const nowMs = BigInt(Date.now())
  header.writeInt32BE(header.length + body.length - BATCH.lengthBytes, 8)
  header.writeInt8(2, BATCH.magicAt)
  header.writeInt32BE(recordCount - 1, 23)
  header.writeBigInt64BE(nowMs, 27)
  header.writeBigInt64BE(nowMs, 35)
  header.writeBigInt64BE(-1n, 43) // no producer id, epoch or sequence
  header.writeInt16BE(-1, 51)
  header.writeInt32BE(-1, 53)
  header.writeInt32BE(recordCount, 57)
  const batch = Buffer.concat([header, body])
  batch.writeUInt32BE(crc32c(batch.subarray(BATCH.crcFrom)), BATCH.crcAt)
  return batch
}

function record(offsetDelta: number, value: Buffer): Buffer {
  const inner = Buffer.concat([
    Buffer.from([0]), varint(0), varint(offsetDelta), varint(-1), varint(value.length), value, varint(0)
  ])
  return Buffer.concat([varint(inner.length), inner])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = ((value << 1) ^ (value >> 31)) >>> 0
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80)
  return Buffer.from([...bytes, left])
}

/** A Produce request of one batch for each of `partitions`; correlation id 0: answers come in the order of requests. */
export function newProduceFrame(topic: string, partitions: readonly number[], records: Buffer): Buffer {
  const partitionData = partitions.map((index) => ({ index, records: [records] }))
  return Buffer.concat(encodeRequestFrame(API.produce, { version: 9, correlationId: 0, clientId: CLIENT_ID }, {
    transactionalId: null, acks: -1, timeoutMs: TIMEOUT_MS, topicData: [{ name: topic, partitionData }]
  }))
}

export function newFetchFrame(topic: string, partition: number, fetchOffset: number, bytesMax: number): Buffer {
  return Buffer.concat(encodeRequestFrame(API.fetch, { version: 4, correlationId: 0, clientId: CLIENT_ID }, {
    clusterId: null, replicaId: -1, maxWaitMs: 500, minBytes: 1, maxBytes: bytesMax, isolationLevel: 0, sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topic, partitions: [
      {
        partition, currentLeaderEpoch: -1, fetchOffset, lastFetchedEpoch: -1, logStartOffset: -1,
        partitionMaxBytes: bytesMax
      }
    ] }],
    forgottenTopicsData: [], rackId: ''
  }))
}
