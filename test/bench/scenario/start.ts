/** From the start of the process to ready: on an empty folder, and after a kill with many index entries to recover. */
import { rmSync } from 'node:fs'
import { newBatch, newProduceFrame } from '#cli/load/batch.ts'
import { createTopic, openClients } from '#cli/load/ask.ts'
import { rssFigure, startCluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { produce } from '#cli/load/produce-load.ts'
import type { Scenario } from './scenario.ts'

const PARTITIONS = 1_000

export const startScenario: Scenario = {
  name: 'start',
  doc: 'time to ready; entries come from requests with one small batch for each of 1,000 partitions, a chunk each',
  async run({ full }) {
    const wanted = full ? 1_000_000 : 200_000
    const emptyMs = performance.now()
    const first = await startCluster()
    const empty = (performance.now() - emptyMs) / 1_000
    await createTopic(first.place(0), 'bench', PARTITIONS)
    const clients = await openClients(first.place(0), 1)
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
    const frame = newProduceFrame('bench', partitions, newBatch(1, 8))
    let entries = 0
    const fillMs = performance.now()
    while (entries < wanted) { // one request in flight: each is a chunk of its own
      const { requests } = await produce({ clients, frames: [frame], payloadBytes: 1, inFlight: 1, seconds: 1 })
      if (requests === 0) throw new Error('nothing was acknowledged')
      entries += requests * PARTITIONS
    }
    const fill = (performance.now() - fillMs) / 1_000
    clients.forEach((client) => { client.close() })
    const rss = rssFigure('server RSS with them', first)
    await first.end('SIGKILL')
    const againMs = performance.now()
    const again = await startCluster({ folder: first.folder })
    const recovered = (performance.now() - againMs) / 1_000
    const rssAgain = rssFigure('server RSS when ready again, most', again)
    await again.end()
    rmSync(first.folder, { recursive: true, force: true })
    return [
      figure('ready on an empty folder', empty, 's', { max: 2 }),
      figure('index entries', entries, ''),
      figure('time to write them', fill, 's'),
      rss,
      figure('ready after a kill', recovered, 's', { max: 5 }),
      rssAgain
    ]
  }
}
