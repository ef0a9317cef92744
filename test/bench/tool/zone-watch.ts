/** What a cluster in namespaces has used so far, by the kernel, by the ledger and by its own metrics. */
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import { REDIS, REGION, type ZonedCluster } from '#infra/local/zoned-cluster.ts'
import type { Traffic } from '#infra/local/zone-traffic.ts'
import { Scrape } from '#test/support/prometheus.ts'
import { cpuSeconds } from './process-stats.ts'

export type Used = {
  readonly atMs: number
  readonly traffic: readonly Traffic[]
  readonly rows: readonly LedgerRow[]
  readonly cpuSeconds: readonly number[] // by node
  readonly scrapes: readonly Scrape[] // by node
}

export async function usedSoFar(zoned: ZonedCluster): Promise<Used> {
  const { plan, pids } = zoned.cluster
  const scrapes = await Promise.all(plan.nodes.map(async ({ host, httpPort }) =>
    new Scrape(await (await fetch(`http://${host}:${httpPort}/metrics`)).text())))
  return {
    atMs: performance.now(), traffic: await zoned.traffic(), rows: await zoned.ledger(), scrapes,
    cpuSeconds: plan.nodes.map(({ nodeId }) => cpuSeconds(pids.get(`node-${nodeId}` as 'node-1')!))
  }
}

/** What was used between two looks. */
export class Use {
  readonly seconds: number
  readonly #before: Used
  readonly #after: Used

  constructor(before: Used, after: Used) {
    this.#before = before
    this.#after = after
    this.seconds = (after.atMs - before.atMs) / 1_000
  }

  /** Bytes between zones; `redis`: between a zone and Redis in another one. */
  between(what: 'zones' | 'redis', count: 'kernelBytes' | 'bareBytes' | 'ledgerBytes'): number {
    const sum = ({ traffic }: Used): number => traffic.filter(({ from, to }) => {
      const ends = [from, to]
      return !ends.includes(REGION) && ends.includes(REDIS) === (what === 'redis')
    }).reduce((total, one) => total + one[count], 0)
    return sum(this.#after) - sum(this.#before)
  }

  /** Calls by cause, of all nodes, answers left out. */
  requests(to: 'journal' | 'store', causes: readonly string[]): number {
    const sum = ({ rows }: Used): number => rows.filter((row) => row.to === to && causes.includes(row.cause))
      .reduce((total, { requests }) => total + requests, 0)
    return sum(this.#after) - sum(this.#before)
  }

  /** Bytes that crossed zones by the ledger, Redis's left out, by cause. */
  crossingByCause(): ReadonlyMap<string, number> {
    const sums = new Map<string, number>()
    for (const [{ rows }, sign] of [[this.#after, 1], [this.#before, -1]] as const)
      for (const { cause, bytes, crosses } of rows)
        if (crosses) sums.set(cause, (sums.get(cause) ?? 0) + sign * bytes)
    return sums
  }

  nodeCpuSeconds(index: number): number {
    return this.#after.cpuSeconds[index]! - this.#before.cpuSeconds[index]!
  }

  /** The bound of the first bucket that holds so many of the store's calls, seconds. */
  storeSeconds(operation: 'put' | 'get', share: number): number {
    const counts = new Map<number, number>()
    for (const [{ scrapes }, sign] of [[this.#after, 1], [this.#before, -1]] as const)
      for (const { name, labels, value } of scrapes.flatMap(({ samples }) => samples)) {
        if (name !== 'zonewise_store_seconds_bucket' || labels['operation'] !== operation) continue
        const bound = labels['le'] === '+Inf' ? Infinity : Number(labels['le'])
        counts.set(bound, (counts.get(bound) ?? 0) + sign * value)
      }
    const buckets = [...counts].sort(([a], [b]) => a - b)
    const total = buckets.at(-1)?.[1] ?? 0
    return buckets.find(([, count]) => count >= total * share)?.[0] ?? NaN
  }
}
