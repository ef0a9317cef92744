/** What varies between runs: drawn from the seed, small enough that every bound is met within seconds. */
import { brokerSettings, type BrokerSettings } from '#broker/config.ts'
import { gatewaySettings, type GatewaySettings } from '#gateway/config.ts'
import type { Rng } from '#shared/runtime/rng.ts'

export type Layout = {
  readonly zones: readonly string[] // one node each, ids from 1
  readonly shardCount: number
  readonly topics: readonly { readonly name: string; readonly partitionCount: number }[]
  readonly gateway: GatewaySettings
  readonly broker: BrokerSettings
}

const KiB = 1_024
const MiB = 1_024 * KiB

export function drawLayout(rng: Rng): Layout {
  const extra = Array.from({ length: rng.below(3) }, () => rng.pick(['a', 'b', 'c']))
  return {
    zones: ['a', 'b', 'c', ...extra], shardCount: 1 + rng.below(6),
    topics: [{ name: 'orders', partitionCount: 3 }, { name: 'clicks', partitionCount: 1 }],
    gateway: {
      ...gatewaySettings.defaults(), lingerMs: rng.pick([0, 5, 20]), putsMax: rng.pick([1, 2, 4]), chunkGiveUpMs: 2_000, commitWindow: rng.pick([1, 3, 8]),
      commitDeadlineMs: rng.pick([500, 2_000]), logCacheBytesMax: rng.pick([0, 16 * KiB, MiB]), readDeadlineMs: 2_000, producerIdBlock: 2,
      adminForwardTimeoutMs: 3_000, groupForwardTimeoutMs: 1_500, stopDrainMs: 1_000
    },
    broker: {
      ...brokerSettings.defaults(), journalSettleMs: 3_000, snapshotJournalBytes: rng.pick([2, 16, 256]) * KiB, viewIdleMs: rng.pick([1_000, 60_000]),
      feedQueueBytesMax: rng.pick([KiB, 64 * KiB, MiB]), feedDeadlineMs: 500, groupBytesMax: rng.pick([2 * KiB, 4 * MiB]), readCacheBytesMax: MiB,
      catalogStepTimeoutMs: 2_000, groupInitialRebalanceDelayMs: 0
    }
  }
}
