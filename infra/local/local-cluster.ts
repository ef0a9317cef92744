/**
 * A cluster on one machine: Redis, an S3 server and a node a zone, each a process of its own, in one folder that the
 * next start goes on with. All of them end together.
 */
import { join, resolve } from 'node:path'
import { nodeFiles } from '#cli/platform/node-files.ts'
import { takeFolder } from '#cli/platform/own-folder.ts'
import { type ClusterPlan, listening } from './cluster-plan.ts'
import { NodeProcess } from './node-process.ts'
import { requireFreePort } from './ports.ts'
import { RedisServer } from './redis-server.ts'
import { S3Server } from './s3-server.ts'
import { ChildGuard, type Holding } from './server-child.ts'
import type { Within } from './within.ts'

const BUCKET = 'zonewise'
const REDIS_MEMORY = '1gb' // enough for the journals of 16 shards, twice: docs/redis.md
const STOP_MS_MAX = 40_000 // a node's own limit is shorter
const LOCK_NAME = 'lock'

export type Part = 'redis' | 's3' | 'node-1' | 'node-2' | 'node-3'

export type LocalClusterOptions = {
  readonly plan: ClusterPlan
  readonly data: string
  readonly env: NodeJS.ProcessEnv
  readonly flags?: readonly string[] // more of them, for every node
  readonly within: (part: Part) => Within
  readonly portsAreOurs: boolean // nobody else can have them: they are in namespaces
  readonly say: (line: string) => void
  /** A part ended by itself. */
  readonly onEnd: (part: Part, how: string) => void
}

export class LocalCluster {
  readonly plan: ClusterPlan
  readonly #options: LocalClusterOptions
  readonly #guard = new ChildGuard()
  readonly #undo: (() => unknown)[] = []
  readonly #nodes: NodeProcess[] = []
  #stopping = false

  private constructor(options: LocalClusterOptions) {
    this.#options = options
    this.plan = options.plan
    this.#undo.push(() => { this.#guard.dismiss() })
  }

  /**
   * Starts all, in order, and waits until all is ready. Nothing is left when it fails.
   * @throws ZonewiseError TOOL_MISSING, PORT_IN_USE, DATA_FOLDER_LOCKED, NODE_NOT_STARTED
   */
  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    const cluster = new LocalCluster(options)
    try {
      await cluster.#start()
      return cluster
    } catch (error) {
      await cluster.kill()
      throw error
    }
  }

  /** Ids of the processes, by their part. */
  get pids(): ReadonlyMap<Part, number> {
    return this.#pids
  }
  readonly #pids = new Map<Part, number>()

  /** The nodes first, all at once, then what they stand on. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#nodes.map((node) => node.stop(STOP_MS_MAX)))
    await this.#stopRest()
  }

  /** At once, as where a part is gone that the others would wait for: what was acknowledged is durable. */
  async kill(): Promise<void> {
    this.#stopping = true
    for (const node of this.#nodes) node.kill()
    await Promise.all(this.#nodes.map((node) => node.stop(STOP_MS_MAX)))
    await this.#stopRest()
  }

  async #stopRest(): Promise<void> {
    for (const step of this.#undo.toReversed()) await step()
    this.#undo.length = 0
  }

  async #start(): Promise<void> {
    const { plan, env, portsAreOurs, within, say } = this.#options
    const data = resolve(this.#options.data)
    this.#undo.push(await takeFolder(nodeFiles, data, LOCK_NAME))
    if (!portsAreOurs) for (const { host, port, what } of listening(plan)) await requireFreePort(host, port, what)
    const s3Folder = join(data, 's3')
    const s3 = await S3Server.start({
      folder: s3Folder, buckets: [BUCKET], ...plan.s3, progress: say, within: within('s3'),
      holding: this.#holding('s3')
    })
    this.#undo.push(() => s3.stop())
    const redis = await RedisServer.start({
      folder: join(data, 'redis'), ...plan.redis, config: { maxmemory: REDIS_MEMORY, ...openTo(plan.redis.host) },
      within: within('redis'), holding: this.#holding('redis')
    })
    this.#undo.push(() => redis.stop())
    const flags = [
      '--journal', `redis://${redis.host}:${redis.port}`, '--store', `s3://${BUCKET}/cluster`,
      '--s3-endpoint', s3.endpoint, '--s3-region', s3.region, ...(this.#options.flags ?? [])
    ]
    const { accessKeyId, secretAccessKey } = s3.credentials
    const nodeEnv = { ...withoutAws(env), AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    for (const node of plan.nodes) {
      const name = `node-${node.nodeId}` as Part
      this.#nodes.push(new NodeProcess({
        plan: node, folder: join(data, name), logFile: join(data, 'log', `${name}.log`), flags, env: nodeEnv,
        within: within(name), holding: this.#holding(name), say
      }))
    }
    await Promise.all(this.#nodes.map((node) => node.ready()))
  }

  #holding(part: Part): Holding {
    const { onEnd } = this.#options
    return {
      ownGroup: true,
      onStart: (pid) => {
        this.#guard.watch(pid)
        this.#pids.set(part, pid)
      },
      onExit: (how) => { if (!this.#stopping) onEnd(part, how) }
    }
  }
}

/** Redis answers strangers only where it is told so; the networks of zones have none. */
function openTo(host: string): Readonly<Record<string, string>> {
  return host === '127.0.0.1' ? {} : { 'protected-mode': 'no' }
}

/** What AWS tools of the user are set to is not for the local S3 server. */
function withoutAws(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('AWS_')))
}
