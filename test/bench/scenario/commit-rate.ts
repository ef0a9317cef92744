/** Small batches: what one decision costs. */
import { bareAnswer } from '../tool/bare-answer.ts'
import { newBatch, newProduceFrame } from '#cli/load/batch.ts'
import { createTopic, openClients } from '#cli/load/ask.ts'
import { withCluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { cpuSeconds } from '../tool/process-stats.ts'
import { percentile, produce } from '#cli/load/produce-load.ts'
import type { Scenario } from './scenario.ts'

const PARTITIONS = 64
const CONNECTIONS = 64
const IN_FLIGHT = 100
const ANSWER_BYTES = 60

export const commitRateScenario: Scenario = {
  name: 'commit-rate',
  doc: 'batches of 1 KiB, one a request, from 64 connections with 100 requests each, over 64 partitions; ' +
    'the bare server answers and does nothing',
  run: ({ full }) => withCluster(async (cluster) => {
    await createTopic(cluster.place(0), 'bench', PARTITIONS)
    const batch = newBatch(1, 950)
    const frames = Array.from({ length: PARTITIONS }, (_, partition) => newProduceFrame('bench', [partition], batch))
    const bare = await bareAnswer({
      frame: frames[0]!, answerBytes: ANSWER_BYTES, connections: CONNECTIONS, inFlight: IN_FLIGHT, seconds: 3
    })
    const clients = await openClients(cluster.place(0), CONNECTIONS)
    const options = { clients, frames, payloadBytes: batch.length, inFlight: IN_FLIGHT }
    await produce({ ...options, seconds: 2 })
    const cpuBefore = cpuSeconds(cluster.pid)
    const result = await produce({ ...options, seconds: full ? 60 : 6 })
    const cpu = cpuSeconds(cluster.pid) - cpuBefore
    clients.forEach((client) => { client.close() })
    return [
      figure('bare server, answers', bare, '1/s'),
      figure('batches acked', result.requests / result.seconds, '1/s', { min: 20_000 }),
      figure('server CPU per batch', cpu / result.requests * 1e6, 'us'),
      figure('refused requests', Object.values(result.errors).reduce((sum, count) => sum + count, 0), '', { max: 0 }),
      figure('ack p50', percentile(result.latenciesMs, 0.5), 'ms'),
      figure('ack p99', percentile(result.latenciesMs, 0.99), 'ms')
    ]
  })
}
