/** Nodes of a cluster as processes of their own: one Redis, a shared folder for the store, ports that are kept. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { RedisServer } from '#infra/local/redis-server.ts'
import type { ClusterLedger } from '#cli/node/cluster-ledger.ts'
import { type Sample, Scrape } from '#test/support/prometheus.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { type Endpoints, type Launched, launchServer } from '#test/support/zonewise-process.ts'

const START_MS = 60_000
const POLL_MS = 20

export const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms) })

/** Resolves when `look` is true. */
export async function until(look: () => Promise<boolean> | boolean, what: string, withinMs = START_MS): Promise<void> {
  const endMs = performance.now() + withinMs
  while (!await look()) {
    assert(performance.now() < endMs, `${what} within ${withinMs} ms`)
    await pause(POLL_MS)
  }
}

/** A node that starts again under its id and on its ports. */
export class ClusterNode {
  readonly nodeId: number
  readonly zone: string
  readonly #cluster: NodeCluster
  #life: Launched | null = null
  #endpoints: Endpoints | null = null

  constructor(cluster: NodeCluster, nodeId: number, zone: string) {
    this.#cluster = cluster
    this.nodeId = nodeId
    this.zone = zone
  }

  get kafka(): string {
    const { host, port } = this.#endpoints!.listeners[0]!
    return `${host}:${port}`
  }

  get http(): string {
    const { host, port } = this.#endpoints!.http
    return `${host}:${port}`
  }

  get pid(): number | undefined {
    return this.#life?.child.pid
  }

  /** What this life printed. */
  get log(): string {
    return this.#life?.log() ?? ''
  }

  async start(): Promise<void> {
    const life = this.launch()
    await until(() => {
      if (life.child.exitCode !== null) throw new Error(`node ${this.nodeId} did not start:\n${life.log()}`)
      return life.endpoints() !== null
    }, `node ${this.nodeId} starts`)
    this.#endpoints = life.endpoints()
  }

  /** Starts it and waits for nothing. */
  launch(flags: readonly string[] = []): Launched {
    const { folder, redis, store } = this.#cluster
    const port = this.#endpoints?.listeners[0]!.port ?? 0
    const http = `127.0.0.1:${this.#endpoints?.http.port ?? 0}`
    this.#life = launchServer(folder, [
      '--node-id', String(this.nodeId), '--http', http, '--journal', `redis://127.0.0.1:${redis.port}`,
      '--store', `file:${store}`, ...this.#cluster.flags, ...flags
    ], [`zone=${this.zone},port=${port}`])
    return this.#life
  }

  /** Stops it as an operator would. @returns the exit code. */
  stop(): Promise<number | null> {
    return this.#end('SIGTERM')
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** It neither answers nor refuses until it is resumed. */
  pause(): void {
    this.#life?.child.kill('SIGSTOP')
  }

  resume(): void {
    this.#life?.child.kill('SIGCONT')
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    this.#life?.child.kill(signal)
    return this.#life?.exited ?? null
  }
}

export class NodeCluster {
  readonly folder = temporaryFolder()
  readonly store = join(this.folder, 'store')
  readonly redis: RedisServer
  readonly nodes: readonly ClusterNode[]
  readonly flags: readonly string[]

  private constructor(redis: RedisServer, zones: readonly string[], flags: readonly string[]) {
    this.redis = redis
    this.flags = flags
    this.nodes = zones.map((zone, i) => new ClusterNode(this, i + 1, zone))
  }

  /** A node a zone of the list, with the ids 1, 2, ...; resolves when all serve. */
  static async start(zones: readonly string[], flags: readonly string[] = []): Promise<NodeCluster> {
    const redis = await RedisServer.start({ folder: join(temporaryFolder(), 'redis') })
    const cluster = new NodeCluster(redis, zones, flags)
    try {
      await Promise.all(cluster.nodes.map((node) => node.start()))
    } catch (error) {
      await cluster.end() // what lives would keep the test alive
      throw error
    }
    return cluster
  }

  async end(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
    await this.redis.kill()
  }
}

/**
 * Counts requests of clients that took longer than a second, in every life of every node: long polls of JoinGroup and
 * SyncGroup are none. A life is looked at until shortly before its end.
 */
export class SlowRequests {
  readonly #byLife = new Map<string, number>()
  readonly #nodes: readonly ClusterNode[]
  readonly #looking = new AbortController()
  readonly #looked: Promise<void>

  constructor(nodes: readonly ClusterNode[]) {
    this.#nodes = nodes
    this.#looked = this.#look()
  }

  async end(): Promise<number> {
    this.#looking.abort()
    await this.#looked
    return [...this.#byLife.values()].reduce((sum, count) => sum + count, 0)
  }

  async #look(): Promise<void> {
    for (; !this.#looking.signal.aborted; await pause(SLOW_LOOK_MS)) {
      for (const node of this.#nodes) {
        const text = await fetch(`http://${node.http}/metrics`).then((answer) => answer.text()).catch(() => '')
        if (text.includes(SECONDS)) this.#byLife.set(`${node.nodeId} ${node.pid}`, slowIn(new Scrape(text)))
      }
    }
  }
}

const SLOW_LOOK_MS = 100
const SECONDS = 'zonewise_gateway_request_seconds'
const POLLS = new Set(['JoinGroup', 'SyncGroup'])

function slowIn(scrape: Scrape): number {
  const counts = scrape.samples.filter(({ name, labels }) => name === `${SECONDS}_count` && !POLLS.has(labels['api']!))
  const quick = (labels: Sample['labels']): number => scrape.sum(`${SECONDS}_bucket`, { ...labels, le: '1' })
  return counts.reduce((slow, { labels, value }) => slow + value - quick(labels), 0)
}

export async function ledgerOf({ http }: ClusterNode): Promise<ClusterLedger> {
  return await (await fetch(`http://${http}/api/ledger`)).json() as ClusterLedger
}
