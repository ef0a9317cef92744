/**
 * What store and journal hold when all is over, read by the product's own recovery: partitions are those of the
 * catalog, each on its shard, and end where readers found their ends.
 */
import type { DurableShard } from '#broker/shard/durable-shard.ts'
import { SnapshotStore } from '#broker/shard/snapshot-store.ts'
import { ViewRunner } from '#broker/shard/view-runner.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { shardOfPartition } from '#shared/cluster/placement.ts'
import { silentLog } from '#shared/log/log.ts'
import { nameOf } from '../client/producer.ts'
import type { Footing } from '../world/ground.ts'
import type { Life } from '../world/life.ts'
import { unlike, type History } from './history.ts'

export async function checkDurable(
  history: History, { clusterId, journal, store }: Footing, { runtime }: Life, shardCount: number
): Promise<void> {
  const snapshots = new SnapshotStore(store, clusterId)
  const recover = async (shard: number): Promise<DurableShard> => {
    const view = new ViewRunner({ shard, journal: await journal.shard(shard), snapshots, runtime, log: silentLog })
    await view.recover()
    return view.durable
  }
  const isOn = (shard: number, topicId: string, partition: number): boolean =>
    shardOfPartition(topicId, partition, shardCount) === shard
  const { state: { catalog } } = await recover(CATALOG_SHARD)
  const ends = new Map(history.finals.map(({ partition, records }) => [partition, records.length]))
  for (let shard = 0; shard < shardCount; shard++) {
    const { state: { partitions }, index } = await recover(shard)
    for (const { topicId, partition, localId, nextOffset } of partitions.byKey.values()) {
      const topic = catalog.topics.get(topicId)
      if (topic === undefined) {
        history.violation(
          'what is deleted is gone',
          unlike(`partitions of known topics on shard ${shard}`, `partition ${partition} of ${topicId}`)
        )
        continue
      }
      const name = nameOf({ topic: topic.name, partition })
      const entries = index.partitions[localId]
      const last = (entries?.entryCount ?? 0) - 1
      const indexEnd = last < 0 ? 0 : entries!.baseOffset[last]! + entries!.offsetCount[last]!
      if (indexEnd !== nextOffset) history.violation(
        'the index ends where the partition does', unlike(`${name} to end at ${nextOffset} in its index`, `${indexEnd}`)
      )
      const end = ends.get(name)
      if (end !== undefined && end !== nextOffset) history.violation(
        'all readers agree', unlike(`${name} to end at ${end}, as they found`, `${nextOffset} in the journal`)
      )
    }
    for (const { topicId, name, readyPartitionCount } of catalog.topics.values())
      for (let partition = 0; partition < readyPartitionCount; partition++)
        if (isOn(shard, topicId, partition) && !partitions.byKey.has(`${topicId}/${partition}`))
          history.violation('what was made is there', unlike(`${name}/${partition} on shard ${shard}`, 'nothing'))
  }
}
