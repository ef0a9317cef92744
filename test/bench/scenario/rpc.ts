/** Calls between two nodes in processes of their own: what the carrier costs, beside bare sockets in the same run. */
import { releaseAll } from '#shared/binary/memory-pool.ts'
import { COMMIT_ROWS } from '#shared/rpc/commit-rows.ts'
import { commitCall } from '#shared/rpc/commit.ts'
import { figure } from '../tool/figure.ts'
import { benchCall, type Measured, RpcBench } from '../tool/rpc-load.ts'
import type { Figure, Scenario } from './scenario.ts'

const MESSAGE_BYTES = 64
const BODY_BYTES = MESSAGE_BYTES - 8 // beside a number and the length of the body
const BATCH_BYTES = 65_536
const CHUNK_BATCHES = 128 // of a full chunk of 8 MiB
const GB = 1e9
/** Two gateways of other zones take in 25 MB/s each and tell every 200 ms: the leader of all shards hears 10 times a second. */
const PACE = { bytesPerSecond: 50e6, everyMs: 100, shards: 16 } as const

export const rpcScenario: Scenario = {
  name: 'rpc',
  doc: 'calls between two processes over one stream, beside bare sockets that do the same; commit calls as gateways send them',
  async run({ full }) {
    const seconds = full ? 20 : 3
    const bench = await RpcBench.open()
    try {
      const { transport } = bench
      const body = Buffer.alloc(BODY_BYTES, 1)
      const options = { deadlineMs: 10_000 }
      const small = async (): Promise<number> => {
        await transport.call(2, benchCall, { number: 0, body }, options)
        return 0
      }
      const read = (bytes: number) => async (): Promise<number> => {
        const { payload } = await transport.call(2, benchCall, { number: bytes, body }, options)
        releaseAll(payload)
        return payload[0]!.length
      }
      await bench.calls(64, 1, small) // to have it compiled
      const figures: Figure[] = []
      for (const inFlight of [1, 64]) {
        figures.push(
          ...ofCalls(`bare echo of ${MESSAGE_BYTES} B, ${inFlight} in flight`, await bench.bareEcho(inFlight, seconds, MESSAGE_BYTES)),
          ...ofCalls(`calls of ${MESSAGE_BYTES} B, ${inFlight} in flight`, await bench.calls(inFlight, seconds, small))
        )
      }
      figures.push(...ofBytes('bare socket', await bench.bareFlood(seconds)))
      figures.push(...ofBytes('payload of 64 KiB, 16 in flight', await bench.calls(16, seconds, read(BATCH_BYTES))))
      figures.push(...ofBytes('payload of 1 MiB, 8 in flight', await bench.calls(8, seconds, read(2 ** 20))))
      for (const batches of [1, CHUNK_BATCHES]) figures.push(...await commits(bench, batches, seconds))
      figures.push(...await paced(bench, full ? 60 : 10))
      return figures
    } finally {
      await bench.close()
    }
  }
}

/** Makes commit calls of one chunk with so many batches of 64 KiB, each of a partition of its own. */
function committer(bench: RpcBench, batches: number): () => Promise<number> {
  const rows = Buffer.alloc(batches * (COMMIT_ROWS.partitionBytes + COMMIT_ROWS.batchBytes))
  for (let i = 0; i < batches; i++) rows.writeUInt32BE(1, i * (COMMIT_ROWS.partitionBytes + COMMIT_ROWS.batchBytes) + 20)
  const source = { nodeId: 1, nodeEpoch: 12, nonce: '0123456789abcdef', lane: 0 }
  let chunkSeq = 0
  return async () => {
    const chunks = [{ chunkSeq: chunkSeq++, checksum: 5, rows }]
    await bench.transport.call(2, commitCall, { shard: 3, source, floor: chunkSeq, chunks }, { deadlineMs: 10_000 })
    return batches * BATCH_BYTES
  }
}

async function commits(bench: RpcBench, batches: number, seconds: number): Promise<Figure[]> {
  const commit = committer(bench, batches)
  await bench.calls(16, 0.5, commit)
  const before = await bench.wire()
  const measured = await bench.calls(16, seconds, commit)
  const after = await bench.wire()
  const name = `commit of ${batches} x 64 KiB, 16 in flight`
  return [
    ...ofCalls(name, measured),
    figure('  request on the wire', (after.requestBytes - before.requestBytes) / measured.count, 'bytes'),
    figure('  answer on the wire', (after.answerBytes - before.answerBytes) / measured.count, 'bytes')
  ]
}

/** What the carrier of a leader takes at the pace of gateways with a linger of 200 ms, one call for each shard. */
async function paced(bench: RpcBench, seconds: number): Promise<Figure[]> {
  const bytesAtOnce = PACE.bytesPerSecond * PACE.everyMs / 1_000
  const commit = committer(bench, Math.round(bytesAtOnce / BATCH_BYTES / PACE.shards))
  const wait = async (): Promise<number> => {
    await new Promise((resolve) => { setTimeout(resolve, PACE.everyMs) })
    return bytesAtOnce
  }
  const idle = await bench.calls(1, seconds, wait)
  const measured = await bench.calls(1, seconds, async () => {
    await Promise.all(Array.from({ length: PACE.shards }, commit))
    return wait()
  })
  return [
    figure('leader CPU for a GB told of at 50 MB/s', measured.serverCpuSeconds / measured.bytes * GB, 's/GB', { max: 0.1 }),
    figure('  of that the process without a call', idle.serverCpuSeconds / idle.bytes * GB, 's/GB')
  ]
}

function ofCalls(name: string, { count, seconds, p50Ms, p99Ms, clientCpuSeconds, serverCpuSeconds }: Measured): Figure[] {
  return [
    figure(name, count / seconds, '1/s'),
    figure('  p50', p50Ms * 1_000, 'us'), figure('  p99', p99Ms * 1_000, 'us'),
    figure('  client CPU', clientCpuSeconds / count * 1e6, 'us'), figure('  server CPU', serverCpuSeconds / count * 1e6, 'us')
  ]
}

function ofBytes(name: string, { bytes, seconds, clientCpuSeconds, serverCpuSeconds }: Measured): Figure[] {
  return [
    figure(name, bytes / 1e6 / seconds, 'MB/s'),
    figure('  reader CPU', clientCpuSeconds / bytes * GB, 's/GB'), figure('  writer CPU', serverCpuSeconds / bytes * GB, 's/GB')
  ]
}
