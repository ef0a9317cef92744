/** What crosses zones for one produced byte, by the server's own ledger, with a reader in every zone. */
import { newBatch, newProduceFrame } from '#cli/load/batch.ts'
import { createTopic, openClients } from '#cli/load/ask.ts'
import { withCluster } from '../tool/cluster.ts'
import { figure } from '../tool/figure.ts'
import { produce } from '#cli/load/produce-load.ts'
import { Readers } from '#cli/load/readers.ts'
import type { Scenario } from './scenario.ts'

const PARTITIONS = 6
const RECORDS = 63
const RATE_PER_ZONE = 20e6
const ZONES = [0, 1, 2]

export const crossZoneScenario: Scenario = {
  name: 'cross-zone',
  doc: '64 KiB batches, 20 MB/s produced and all read in each of three zones, each client in its own zone',
  async run({ full }) {
    return withCluster(async (cluster) => {
      await createTopic(cluster.place(0), 'bench', PARTITIONS)
      const batch = newBatch(RECORDS, 1_024)
      const frames = Array.from({ length: PARTITIONS }, (_, partition) => newProduceFrame('bench', [partition], batch))
      const common = { topic: 'bench', partitions: PARTITIONS, batchBytes: batch.length, recordCount: RECORDS }
      const readers = await Promise.all(ZONES.map((zone) => Readers.open({ ...common, place: cluster.place(zone) })))
      const results = await Promise.all(ZONES.map(async (zone) => {
        const clients = await openClients(cluster.place(zone), 2)
        const result = await produce({ clients, frames, payloadBytes: batch.length, inFlight: 40, seconds: full ? 60 : 6, bytesPerSecond: RATE_PER_ZONE })
        clients.forEach((client) => { client.close() })
        return result
      }))
      await new Promise((resolve) => { setTimeout(resolve, 500) })
      const produced = results.reduce((sum, { bytes }) => sum + bytes, 0)
      const read = readers.reduce((sum, { bytes }) => sum + bytes, 0)
      readers.forEach((one) => { one.close() })
      const crossing = (await cluster.ledger()).filter(({ crosses }) => crosses)
      const causes = [...Map.groupBy(crossing, ({ cause }) => cause)].map(([cause, rows]) => ({ cause, bytes: sumBytes(rows) }))
      return [
        figure('produced', produced / 1e6, 'MB'),
        figure('read for each produced byte', read / produced, '', { min: 2.999 }),
        figure('crossing for each produced byte', sumBytes(crossing) / produced, '', { max: 0.01 }),
        figure('payload crossing', sumBytes(crossing.filter(({ payload }) => payload)), 'bytes', { max: 0 }),
        ...causes.map(({ cause, bytes }) => figure(`  of that ${cause}`, bytes / produced, ''))
      ]
    })
  }
}

function sumBytes(rows: readonly { readonly bytes: number }[]): number {
  return rows.reduce((sum, { bytes }) => sum + bytes, 0)
}
