/** Counts appends and reads of a journal in the ledger and as metrics; everything else passes through. */
import { Ledger, type Place } from '../ledger/ledger.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Clock } from '../runtime/runtime.ts'
import type { Journal, ShardJournal } from './journal.ts'
import { AppendMetrics } from './metrics.ts'

export type MeasuredJournalOptions = {
  readonly ledger: Ledger
  readonly zone: Place // of the node that uses the journal
  readonly clock: Clock
  readonly metrics: Metrics
  /** The journal's own sockets are counted: not here again. */
  readonly countedInside?: boolean
}

export function measuredJournal(inner: Journal, options: MeasuredJournalOptions): Journal {
  const { zone, clock, metrics, countedInside = false } = options
  const ledger = countedInside ? new Ledger() : options.ledger
  const parts = {
    written: ledger.cell(zone, 'journal', 'journal'), read: ledger.cell('journal', zone, 'journal'), clock,
    metrics: new AppendMetrics(metrics, zone)
  }
  return {
    shard: async (shard) => measuredShard(await inner.shard(shard), parts),
    create: (shard) => inner.create(shard),
    clusterId: () => inner.clusterId(),
    setClusterId: (clusterId) => inner.setClusterId(clusterId),
    close: () => inner.close()
  }
}

type Parts = {
  readonly written: ReturnType<Ledger['cell']>
  readonly read: ReturnType<Ledger['cell']>
  readonly clock: Clock
  readonly metrics: AppendMetrics
}

function measuredShard(inner: ShardJournal, { written, read, clock, metrics }: Parts): ShardJournal {
  return {
    lead: (above, known) => {
      written.requests += 1
      return inner.lead(above, known)
    },
    append: async (epoch, after, body) => {
      const bytes = body.reduce((sum, chunk) => sum + chunk.byteLength, 0)
      written.requests += 1
      written.bytes += bytes
      metrics.bytes.add(bytes)
      const begunMs = clock.monotonicMs()
      let isDurable = false
      try {
        const outcome = await inner.append(epoch, after, body)
        isDurable = outcome.kind === 'durable'
        return outcome
      } finally {
        if (isDurable) metrics.seconds.observe((clock.monotonicMs() - begunMs) / 1_000)
        else metrics.failures.add(1)
      }
    },
    end: () => {
      read.requests += 1
      return inner.end()
    },
    read: async (after, bounds) => {
      read.requests += 1
      const groups = await inner.read(after, bounds)
      for (const group of groups) read.bytes += group.body.byteLength
      return groups
    },
    tail: (onGroup) => inner.tail((group) => {
      read.bytes += group.body.byteLength
      onGroup(group)
    }),
    trim: (epoch, to) => {
      written.requests += 1
      return inner.trim(epoch, to)
    }
  }
}
