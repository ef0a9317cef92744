/** Writes the snapshots that are due for the shards led here, one at a time a shard, and trims their journals behind them. */
import { explain } from '#shared/errors/zonewise-error.ts'
import type { Journal } from '#shared/journal/journal.ts'
import type { Log } from '#shared/log/log.ts'
import { sleep, type Runtime } from '#shared/runtime/runtime.ts'
import type { ShardMetrics } from './metrics.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import type { ViewRunner } from './view-runner.ts'

const RETRY_MS = 100
const RETRY_MS_MAX = 30_000

export type SnapshotterParts = {
  readonly snapshots: SnapshotStore
  readonly journal: Journal
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: ShardMetrics
  readonly settings: { readonly snapshotJournalBytes: number }
}

export class Snapshotter {
  readonly #parts: SnapshotterParts
  readonly #busy = new Set<number>()
  readonly #failures = new Map<number, number>() // in a row, by shard
  #stopping = false

  constructor(parts: SnapshotterParts) {
    this.#parts = parts
  }

  /** Waits between attempts no more: what fails now is said, and left. */
  stop(): void {
    this.#stopping = true
  }

  /** Begins a snapshot if enough has come since the last one; called for each durable group of a leader. */
  writeIfDue(view: ViewRunner, epoch: number): void {
    if (view.bytesSinceSnapshot >= this.#parts.settings.snapshotJournalBytes) void this.write(view, epoch)
  }

  /** Writes a snapshot of what is durable now, unless one is being written. What fails is said, and tried again later. */
  async write(view: ViewRunner, epoch: number): Promise<void> {
    const { snapshots, journal, runtime, log, metrics } = this.#parts
    const { shard, bytesSinceSnapshot } = view
    if (this.#busy.has(shard) || view.failure !== null || bytesSinceSnapshot === 0) return
    this.#busy.add(shard)
    try {
      const begunMs = runtime.clock.monotonicMs()
      await snapshots.write(view.durable)
      metrics.snapshotSeconds.observe((runtime.clock.monotonicMs() - begunMs) / 1_000)
      view.snapshotTaken(bytesSinceSnapshot)
      this.#failures.delete(shard)
      const to = await snapshots.trimmable(shard)
      if (to !== null) await (await journal.shard(shard)).trim(epoch, to)
      await snapshots.prune(shard)
    } catch (error) {
      metrics.snapshotFailures.add(1)
      log.warn('snapshot not written', { shard, reason: explain(error) })
      const failures = this.#failures.get(shard) ?? 0
      this.#failures.set(shard, failures + 1)
      if (!this.#stopping) await sleep(runtime.timer, Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** failures))
    } finally {
      this.#busy.delete(shard)
    }
  }
}
