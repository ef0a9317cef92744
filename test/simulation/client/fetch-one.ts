/** One Fetch of one partition. */
import { API } from '#shared/wire/api-registry.ts'
import type { Connection } from './connection.ts'
import { REQUEST_MS, type Target } from './producer.ts'

const BYTES_MAX = 100_000

/** @throws ConnectionLost */
export async function fetchOne(
  over: Pick<Connection, 'call'>, { topic, partition }: Target, fetchOffset: number, maxWaitMs: number
): Promise<{ readonly errorCode: number; readonly highWatermark: number; readonly bytes: Uint8Array }> {
  const { responses } = await over.call(API.fetch, 11, {
    clusterId: null, replicaId: -1, maxWaitMs, minBytes: 1, maxBytes: BYTES_MAX, isolationLevel: 0, sessionId: 0,
    sessionEpoch: -1,
    topics: [{
      topic,
      partitions: [{
        partition, currentLeaderEpoch: -1, fetchOffset, lastFetchedEpoch: -1, logStartOffset: -1,
        partitionMaxBytes: BYTES_MAX
      }]
    }],
    forgottenTopicsData: [], rackId: ''
  }, maxWaitMs + REQUEST_MS)
  const { errorCode, highWatermark, records } = responses[0]!.partitions[0]!
  return { errorCode, highWatermark, bytes: bytesOf(records) }
}

/** Records as an answer has them, in one piece. */
export function bytesOf(records: Uint8Array | readonly Uint8Array[] | null): Uint8Array {
  return records === null ? new Uint8Array(0) : records instanceof Uint8Array ? records : Buffer.concat(records)
}
