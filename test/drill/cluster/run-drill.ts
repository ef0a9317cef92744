/** Runs one drill: a cluster under load in all zones, the fault, the questions, and at last the history is judged. */
import { rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import type { ClusterLedger } from '#cli/node/cluster-ledger.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { API } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { check } from '#test/simulation/check/checker.ts'
import { History, type Violation } from '#test/simulation/check/history.ts'
import { pause } from '../kill-moments.ts'
import { judgeLog } from '../server-log.ts'
import { DrillCluster, ZONES } from './drill-cluster.ts'
import type { ClientProgram } from './client-process.ts'
import type { Drill } from './drills.ts'
import type { LibrdkafkaPython } from './librdkafka-python.ts'
import { Load } from './load.ts'
import type { Probe } from './prober.ts'

export type DrillOptions = {
  readonly name: string
  readonly drill: Drill
  readonly folder: string
  readonly keep: boolean // the folder
  readonly older?: string | undefined // a checkout, for drills that need one
  readonly python: LibrdkafkaPython
  readonly java: ClientProgram | null // null: this machine has none
  readonly seed: number
  readonly widePartitions: number
  readonly logLevel: string // of the nodes
  readonly echo?: (line: string) => void
}

export type ProbeRow = Probe & { readonly when: string; readonly zone: string }
export type WatchRow = { readonly when: string; readonly client: string; readonly deliveries: number
  readonly longestMs: number; readonly longestAckedAt: number // as the nodes' logs tell time
  readonly told: Readonly<Record<string, number>> }

export type DrillReport = {
  readonly name: string
  readonly what: string
  readonly partitions: number
  readonly probes: readonly ProbeRow[]
  readonly watches: readonly WatchRow[]
  readonly counts: { readonly sent: number; readonly acked: number; readonly read: number; readonly stored: number }
  readonly warnings: Readonly<Record<string, number>>
  readonly violations: readonly Violation[]
  readonly load: number
}

const WARM_MS = 3_000
const AFTER_MS = 2_000
const HOME_MS = 5_000 // from when all zones serve: clients have been told by then
const STAY_MS = 3_000
const PROBE_MS_MAX = 90_000
const FILL_MS_MAX = 900_000
const TOPICS_MS_MAX = 60_000
/** Frequent snapshots, so that a fault meets all that a node does. */
const FLAGS = ['--snapshot-journal-bytes', '64KiB', '--auto-create-topics-enable=false']

export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const { drill, folder, echo = (): void => {} } = options
  const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
  try {
    const cluster = await DrillCluster.start({
      folder, layout: drill.layout, more: drill.more ?? [], progress: echo,
      ...(drill.older === true && options.older !== undefined ? { checkout: options.older } : {}),
      flags: [...FLAGS, '--log-level', options.logLevel, ...drill.flags ?? []]
    })
    try {
      return await new DrillRun(options, cluster).run()
    } finally {
      await cluster.remove()
    }
  } finally {
    clearInterval(awake)
    if (!options.keep) rmSync(folder, { recursive: true, force: true })
  }
}

class DrillRun {
  readonly #options: DrillOptions
  readonly #cluster: DrillCluster
  readonly #history = new History()
  readonly #load: Load
  readonly #probes: ProbeRow[] = []
  readonly #watches: WatchRow[] = []

  constructor(options: DrillOptions, cluster: DrillCluster) {
    const { seed, python, java, widePartitions, drill: { light = false, readers = false } } = options
    this.#options = options
    this.#cluster = cluster
    this.#load = new Load({
      cluster, history: this.#history, rng: new Rng(seed), python, java, widePartitions, light, readers
    })
  }

  async run(): Promise<DrillReport> {
    const { drill, seed, echo = (): void => {} } = this.#options
    try {
      await this.#createTopics()
      this.#load.start()
      await this.#probe('before', performance.now())
      await pause(WARM_MS)
      await drill.act({
        cluster: this.#cluster, rng: new Rng(seed), echo,
        probe: (when, fromMs, zones) => this.#probe(when, fromMs, zones),
        watch: (when, act, given) =>
          this.#watch(when, act, given), homeAgain: () => this.#homeAgain(),
        older: this.#options.older ??
          '', violation: (rule, what) => { this.#history.violation(rule, what) }, fill: (entries) => this.#fill(entries)
      })
      await pause(AFTER_MS)
      await this.#load.finish()
      await this.#load.caughtUp()
      await this.#load.readInAllZones()
      this.#load.check()
    } finally { // nothing may outlive a drill that failed
      await this.#load.abandon()
    }
    return this.#report(await this.#judgeNodes())
  }

  async #probe(when: string, fromMs: number, zones: readonly string[] = ZONES): Promise<void> {
    const signal = AbortSignal.timeout(PROBE_MS_MAX)
    await Promise.all(zones.map(async (zone) => {
      try {
        const probe = await this.#load.probers.get(zone)!.probe(fromMs, signal)
        this.#probes.push({ when, zone, ...probe })
        const [written, read, tail] = [probe.writtenMs, probe.readMs, probe.tailReadMs].map(Math.round)
        this.#options.echo?.(`${when}: ${zone} written after ${written} ms, read ${read}, the new ones ${tail}`)
      } catch (error) {
        if (!signal.aborted) throw error
        this.#history.violation('all is well again', `${zone}, ${when}: not after ${PROBE_MS_MAX} ms`)
      }
    }))
    this.#load.check()
  }

  /** All zones write at the same time: each request becomes a chunk with an entry for each partition. */
  async #fill(entries: number): Promise<number> {
    const { widePartitions, echo } = this.#options
    let written = 0
    const signal = AbortSignal.timeout(FILL_MS_MAX)
    await Promise.all([...this.#load.probers.values()].map(async (prober) => {
      for (; written < entries; written += widePartitions) await prober.writeAll(signal)
    }))
    echo?.(`${written} index entries written`)
    return written
  }

  async #watch(when: string, act: () => Promise<void>, { quiet = false } = {}): Promise<void> {
    const fromMs = performance.now()
    await act()
    for (const [i, { deliveries, told }] of this.#load.librdkafka.entries()) {
      const during = deliveries.filter(({ ackedMs }) => ackedMs >= fromMs)
      const codes: Record<string, number> = {}
      for (const { atMs, code } of told) if (atMs >= fromMs) codes[code] = (codes[code] ?? 0) + 1
      const longest = during.reduce((most, one) => (one.ms > most.ms ? one : most), { ms: 0, ackedAt: 0 })
      this.#watches.push({
        when, client: `librdkafka ${ZONES[i]}`, deliveries: during.length, longestMs: longest.ms,
        longestAckedAt: longest.ackedAt, told: codes
      })
      this.#options.echo?.(`${when}: ${JSON.stringify(this.#watches.at(-1))}`)
      const surfaced = Object.keys(codes).join(', ')
      if (quiet && surfaced !== '') this.#history.violation('no error surfaces', `${ZONES[i]}, ${when}: ${surfaced}`)
    }
  }

  async #homeAgain(): Promise<void> {
    await pause(HOME_MS)
    const before = await this.#failoverBytes()
    await pause(STAY_MS)
    const more = await this.#failoverBytes() - before
    this.#options.echo?.(`served by another zone: ${before} bytes, and ${more} once all zones serve`)
    if (before === 0) this.#history.violation('another zone stands in', 'no byte of it was counted')
    if (more > 0) this.#history.violation('clients go home', `another zone moved ${more} bytes of theirs`)
  }

  /** Of clients whose zone has no gateway, as all nodes count them. */
  async #failoverBytes(): Promise<number> {
    const { rows } = JSON.parse(await this.#cluster.nodes[0]!.text('/api/ledger')) as ClusterLedger
    return rows.reduce((sum, { cause, bytes }) => sum + (cause === 'failover' ? bytes : 0), 0)
  }

  async #createTopics(): Promise<void> {
    const caller = this.#load.admin()
    const topics = this.#load.topics.map(({ name, partitionCount }) =>
      ({ name, numPartitions: partitionCount, replicationFactor: 1, assignments: [], configs: [] }))
    await caller.until(async () => {
      const request = { topics, timeoutMs: TOPICS_MS_MAX, validateOnly: false }
      const answer = await caller.call(API.createTopics, 4, request, TOPICS_MS_MAX)
      const fine = ({ errorCode }: { readonly errorCode: number }): boolean =>
        errorCode === 0 || errorCode === KAFKA_ERROR.TOPIC_ALREADY_EXISTS
      return answer.topics.every(fine) ? true : null
    })
    caller.disconnect()
  }

  /** All nodes stop in peace; what they logged that they should not have is a violation. */
  async #judgeNodes(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const node of this.#cluster.nodes) {
      const code = await node.stop()
      if (code !== 0) this.#history.violation('SIGTERM ends with code 0', `node ${node.options.nodeId}: code ${code}`)
      const { warnings, faults } = judgeLog(node.log, this.#options.drill.errors)
      for (const [message, count] of warnings) counts[message] = (counts[message] ?? 0) + count
      for (const fault of faults) this.#history.violation('nodes log no error', `node ${node.options.nodeId}: ${fault}`)
    }
    return counts
  }

  #report(warnings: Record<string, number>): DrillReport {
    const { events, finals } = this.#history
    const count = (kind: string): number => events.reduce((sum, event) => sum + (event.kind === kind ? 1 : 0), 0)
    const stored = finals.filter(({ reader }) => reader === `final-${ZONES[0]}`)
      .reduce((sum, { records }) => sum + records.length, 0)
    const { name, drill: { what }, widePartitions: partitions } = this.#options
    return {
      name, what, partitions, probes: this.#probes, watches: this.#watches, warnings, violations: check(this.#history),
      counts: { sent: count('sent'), acked: count('acked'), read: count('read'), stored }, load: loadavg()[0]!
    }
  }
}
