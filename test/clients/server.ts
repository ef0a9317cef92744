/**
 * What the client suite runs against: one process with three zones, or a cluster of three processes on a real Redis and
 * a real S3 server. Both start, are killed, and start again on what they left.
 */
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { once } from 'node:events'
import { RedisServer } from '../../infra/local/redis-server.ts'
import { S3Server } from '../../infra/local/s3-server.ts'
import { launchServer, type Endpoints, type Launched } from '../support/zonewise-process.ts'

const START_MS = 30_000
const POLL_MS = 20
const ZONES = ['local-az1', 'local-az2', 'local-az3']
const BUCKET = 'zonewise'

export type Served = {
  /** `host:port` of a gateway in each zone. */
  readonly zones: readonly string[]
  /** The HTTP port of one node. */
  readonly http: string
  /** Ends every node as a crash does, and starts all again: the same places, maybe on other ports. */
  crash(): Promise<void>
  /** SIGTERM to every node. @returns their exit codes */
  stop(): Promise<(number | null)[]>
  /** Whatever is left. */
  kill(): Promise<void>
}

/** `zonewise start` with three zones. */
export function embedded(folder: string): Promise<Served> {
  return serve(() => [launchServer(folder, LOG, ZONES.map((zone) => `zone=${zone},port=0`))])
}

/** A node for each zone; Redis keeps the journals, an S3 server the bytes. */
export async function cluster(folder: string): Promise<Served> {
  const redis = await RedisServer.start({ folder: join(folder, 'redis'), config: { maxmemory: '1gb' } })
  const s3 = await S3Server.start({ folder: join(folder, 's3'), buckets: [BUCKET] })
  const { credentials: { accessKeyId, secretAccessKey }, region, endpoint } = s3
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
  const shared = [
    '--journal', `redis://127.0.0.1:${redis.port}`, '--store', `s3://${BUCKET}/suite`, '--s3-endpoint', endpoint,
    '--s3-region', region, '--group-initial-rebalance-delay-ms', '0'
  ]
  const served = await serve(() => ZONES.map((zone, i) => launchServer(
    folder, [...LOG, ...shared, '--node-id', String(i + 1)], [`zone=${zone},port=0`], env
  )))
  return {
    ...served, get zones() { return served.zones }, get http() { return served.http },
    async kill() {
      await served.kill()
      await redis.kill()
      await s3.kill()
    }
  }
}

const LOG = ['--log-level', 'warn']

async function serve(launch: () => Launched[]): Promise<Served> {
  let nodes = launch()
  let endpoints: Endpoints[] = []
  const start = async (): Promise<void> => { endpoints = await Promise.all(nodes.map(untilReady)) }
  const end = (signal: NodeJS.Signals): Promise<(number | null)[]> =>
    Promise.all(nodes.map(async ({ child }) => endOf(child, signal)))
  await start()
  return {
    get zones() { return endpoints.flatMap(({ listeners }) => listeners.map(({ host, port }) => `${host}:${port}`)) },
    get http() { return `${endpoints[0]!.http.host}:${endpoints[0]!.http.port}` },
    async crash() {
      await end('SIGKILL')
      nodes = launch()
      await start()
    },
    stop: () => end('SIGTERM'),
    async kill() { await end('SIGKILL') }
  }
}

async function endOf(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exited = once(child, 'exit') as Promise<[number | null]>
  child.kill(signal)
  return (await exited)[0]
}

async function untilReady({ child, log, endpoints }: Launched): Promise<Endpoints> {
  for (const endMs = Date.now() + START_MS; ; await new Promise((resolve) => { setTimeout(resolve, POLL_MS) })) {
    const found = endpoints()
    if (found !== null) return found
    if (Date.now() > endMs || child.exitCode !== null) throw new Error(`server did not become ready:\n${log()}`)
  }
}
