/**
 * A cluster as it runs in a region, on this machine: a network namespace for each zone with its nodes in it, one for
 * Redis, and one, the region, for the S3 server. All are processes that can be killed, paused, and cut off.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { RedisServer } from '#infra/local/redis-server.ts'
import { S3Server } from '#infra/local/s3-server.ts'
import type { Within } from '#infra/local/within.ts'
import { ZoneNet } from '#infra/local/zone-net.ts'
import { DrillNode } from './drill-node.ts'

export const ZONES = ['az1', 'az2', 'az3'] as const
export const REDIS = 'redis'
export const REGION = 'region'
const BUCKET = 'drill'
const [REDIS_PORT, S3_PORT, KAFKA_PORT, HTTP_PORT] = [6379, 7070, 9092, 8080]

export type DrillClusterOptions = {
  readonly folder: string
  /** Roles of the nodes of each zone. */
  readonly layout: readonly string[]
  /** Roles of nodes that the first zone has besides. */
  readonly more?: readonly string[]
  readonly flags?: readonly string[]
  readonly checkout?: string // that nodes are started from, if not this one
  readonly progress?: (line: string) => void
}

export class DrillCluster {
  readonly net: ZoneNet
  readonly redis: RedisServer
  readonly s3: S3Server
  readonly nodes: readonly DrillNode[]

  private constructor(net: ZoneNet, redis: RedisServer, s3: S3Server, nodes: readonly DrillNode[]) {
    this.net = net
    this.redis = redis
    this.s3 = s3
    this.nodes = nodes
  }

  /** Starts all of it and resolves when every node serves. */
  static async start(options: DrillClusterOptions): Promise<DrillCluster> {
    const { folder, layout, more = [], flags = [], checkout, progress = (): void => {} } = options
    const net = ZoneNet.create([...ZONES, REDIS, REGION])
    const within = (name: string): Within => (command) => net.on(name, command)
    const started: { stop(): unknown }[] = []
    try {
      const redis = await RedisServer.start({
        folder: join(folder, 'redis'), host: net.host(REDIS).address, port: REDIS_PORT, within: within(REDIS),
        config: { 'protected-mode': 'no' }
      })
      started.push(redis)
      const s3 = await S3Server.start({
        folder: join(folder, 's3'), buckets: [BUCKET], host: net.host(REGION).address, port: S3_PORT,
        within: within(REGION), progress
      })
      started.push(s3)
      const env = {
        ...process.env, AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey, AWS_REGION: s3.region,
        AWS_ENDPOINT_URL_S3: s3.endpoint, ZONEWISE_TRANSPORT_RPC_SECRET: randomBytes(16).toString('hex')
      }
      const rolesIn = (zone: string): readonly string[] => zone === ZONES[0] ? [...layout, ...more] : layout
      const places = ZONES.flatMap((zone) => rolesIn(zone).map((roles, i) => ({ zone, roles, i })))
      const nodes = places.map(({ zone, roles, i }, n) => {
        const nodeId = n + 1
        return new DrillNode({
          nodeId, zone, roles, host: net.host(zone).address, kafkaPort: KAFKA_PORT + i, httpPort: HTTP_PORT + i,
          folder: join(folder, `node-${nodeId}`), env, within: within(zone), flags: [
            '--journal', `redis://${redis.host}:${redis.port}`, '--store', `s3://${BUCKET}/cluster`, ...flags
          ]
        })
      })
      for (const node of nodes) {
        if (checkout !== undefined) node.checkout = checkout
        node.launch()
        started.push({ stop: () => node.kill() })
      }
      await Promise.all(nodes.map((node) => node.ready()))
      return new DrillCluster(net, redis, s3, nodes)
    } catch (error) {
      for (const one of started.toReversed()) await one.stop()
      net.remove()
      throw error
    }
  }

  inZone(zone: string): DrillNode[] {
    return this.nodes.filter(({ options }) => options.zone === zone)
  }

  /** Gateways, those of a zone first. */
  gateways(zone: string): DrillNode[] {
    const gateways = this.nodes.filter(({ isGateway }) => isGateway)
    const own = gateways.filter(({ options }) => options.zone === zone)
    return [...own, ...gateways.filter((node) => !own.includes(node))]
  }

  /** Cuts all packets between a zone and others, in both directions. */
  isolate(zone: string, others: readonly string[]): void {
    for (const other of others) {
      this.net.cut(zone, other)
      this.net.cut(other, zone)
    }
  }

  /** Ends all of it at once. */
  async remove(): Promise<void> {
    for (const node of this.nodes) {
      node.resume()
      await node.kill()
    }
    await this.s3.kill()
    await this.redis.kill()
    this.net.remove()
  }
}
