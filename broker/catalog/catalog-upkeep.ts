/**
 * What whoever leads the catalog does besides answering: raises `cluster.version` when all live nodes know a higher
 * one, takes down which lives of nodes there are, and has every shard close the dead ones. Looks at each change of the
 * cluster and now and then; one round at a time; what fails is done again with the next.
 */
import { nextClusterVersion, SINCE } from '#shared/cluster/cluster-version.ts'
import type { Membership } from '#shared/cluster/membership.ts'
import { leaderOf } from '#shared/cluster/placement.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import { closeSourcesCall } from '#shared/rpc/admin.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { ClosedLives } from '../partition/partition-entries.ts'
import type { ShardLeader } from '../shard/shard-leader.ts'
import { encodeCluster, encodeNodeLife } from './catalog-entries.ts'
import { planLives } from './node-lives-plan.ts'

export type UpkeepSettings = {
  readonly roundMs: number // between looks where nothing changes
  readonly goneMs: number // a node away for so long is dead: what it wrote and did not commit is refused from then on
  readonly versionMax: number // `cluster.version` is not raised above it
  readonly callTimeoutMs: number
}

export type UpkeepParts = {
  readonly transport: Transport
  readonly membership: Membership
  readonly runtime: Runtime
  readonly log: Log
  readonly settings: UpkeepSettings
}

export class CatalogUpkeep {
  readonly #leader: ShardLeader
  readonly #parts: UpkeepParts
  readonly #awaySinceMs = new Map<number, number>() // node id to when this leadership first missed it
  #running = false
  #again = false

  constructor(leader: ShardLeader, parts: UpkeepParts) {
    this.#leader = leader
    this.#parts = parts
    const stop = parts.membership.watch(() => this.#look())
    leader.ended.addEventListener('abort', stop, { once: true })
    this.#lookLater()
    parts.runtime.timer.soon(() => this.#look())
  }

  #lookLater(): void {
    const cancel = this.#parts.runtime.timer.after(this.#parts.settings.roundMs, () => {
      this.#leader.ended.removeEventListener('abort', cancel)
      this.#look()
      this.#lookLater()
    })
    if (this.#leader.ended.aborted) cancel()
    else this.#leader.ended.addEventListener('abort', cancel, { once: true })
  }

  #look(): void {
    if (this.#leader.ended.aborted) return
    if (this.#running) { this.#again = true; return }
    this.#running = true
    this.#round().catch((error: unknown) => {
      if (!(error instanceof ZonewiseError)) throw error
      this.#parts.log.debug('upkeep of the catalog is done again later', { reason: explain(error) })
    }).finally(() => {
      this.#running = false
      if (!this.#again) return
      this.#again = false
      this.#look()
    })
  }

  async #round(): Promise<void> {
    await this.#raiseVersion()
    const { cluster, lives } = this.#leader.state.catalog
    if ((cluster?.clusterVersion ?? 0) < SINCE.sourceFloors) return
    const { membership } = this.#parts
    const { nodes } = membership.current()
    const { seen, close } = planLives(lives, nodes, (nodeId) => this.#isGone(nodeId))
    for (const { nodeId } of nodes) this.#awaySinceMs.delete(nodeId)
    if (seen.length > 0) await this.#leader.append(seen.map(encodeNodeLife))
    if (close.length > 0) await this.#close(close)
  }

  async #raiseVersion(): Promise<void> {
    const { membership, log, settings: { versionMax } } = this.#parts
    const { cluster } = this.#leader.state.catalog
    if (cluster === null) return
    const next = nextClusterVersion(cluster.clusterVersion, membership.versions())
    const clusterVersion = Math.min(next ?? 0, versionMax)
    if (clusterVersion <= cluster.clusterVersion) return
    await this.#leader.append([encodeCluster({ ...cluster, clusterVersion })])
    log.info(
      'cluster.version is raised: older software cannot join any more', { from: cluster.clusterVersion, clusterVersion }
    )
  }

  #isGone(nodeId: number): boolean {
    const nowMs = this.#parts.runtime.clock.monotonicMs()
    const sinceMs = this.#awaySinceMs.get(nodeId)
    if (sinceMs === undefined) this.#awaySinceMs.set(nodeId, nowMs)
    return sinceMs !== undefined && nowMs - sinceMs >= this.#parts.settings.goneMs
  }

  /** Every shard journals it, then the catalog that it is done. */
  async #close(closed: readonly ClosedLives[]): Promise<void> {
    const { membership } = this.#parts
    const shards = [...Array(membership.current().shardCount).keys()]
    const answers = await Promise.all(shards.map((shard) => this.#ask(shard, closed)))
    if (!answers.every((isDone) => isDone)) return
    const { lives } = this.#leader.state.catalog
    await this.#leader.append(closed.map(({ nodeId, nodeEpoch }) =>
      encodeNodeLife({ nodeId, nodeEpoch: lives.get(nodeId)?.nodeEpoch ?? nodeEpoch, closedEpoch: nodeEpoch })))
  }

  async #ask(shard: number, lives: readonly ClosedLives[]): Promise<boolean> {
    const { transport, membership, settings: { callTimeoutMs: deadlineMs } } = this.#parts
    const leader = leaderOf(membership.current(), shard)
    const { response } = await transport.call(leader, closeSourcesCall, { shard, lives: [...lives] }, {
      deadlineMs, signal: this.#leader.ended
    })
    return response.errorCode === KAFKA_ERROR.NONE
  }
}
