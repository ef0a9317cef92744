/**
 * A local cluster in network namespaces: one for each zone, with Redis in the first of them, and one, the region, for
 * the S3 server. The kernel counts what passes between them.
 */
import { randomBytes } from 'node:crypto'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import { planCluster, ZONES } from './cluster-plan.ts'
import { LocalCluster, type LocalClusterOptions, type Part } from './local-cluster.ts'
import { type Traffic, zoneTraffic } from './zone-traffic.ts'
import { ZoneNet } from './zone-net.ts'

export const REGION = 'region'
export const REDIS = 'redis'
const REDIS_ZONE = ZONES[0]
const SECRET_BYTES = 16
const LEDGER_TIMEOUT_MS = 5_000

export type ZonedClusterOptions = Pick<LocalClusterOptions, 'data' | 'env' | 'say' | 'onEnd' | 'flags'>

export class ZonedCluster {
  readonly net: ZoneNet
  readonly cluster: LocalCluster

  private constructor(net: ZoneNet, cluster: LocalCluster) {
    this.net = net
    this.cluster = cluster
  }

  /** @throws ZonewiseError as LocalCluster's start, and TOOL_MISSING where namespaces cannot be made */
  static async start(options: ZonedClusterOptions): Promise<ZonedCluster> {
    const net = ZoneNet.create([...ZONES, REGION], { [REDIS]: REDIS_ZONE })
    try {
      const address = (name: string): string => net.host(name).address
      const plan = planCluster({ zones: ZONES.map(address), redis: address(REDIS), s3: address(REGION) }, null)
      const secret = { ZONEWISE_TRANSPORT_RPC_SECRET: randomBytes(SECRET_BYTES).toString('hex') }
      const cluster = await LocalCluster.start({
        ...options, plan, env: { ...secret, ...options.env }, portsAreOurs: true,
        within: (part) => (command) => net.on(namespaceOf(part), command)
      })
      return new ZonedCluster(net, cluster)
    } catch (error) {
      net.remove()
      throw error
    }
  }

  /** What passed between zones and region so far. */
  async traffic(): Promise<Traffic[]> {
    const rows = await this.ledger()
    return zoneTraffic(this.net.pairs(), rows, { store: REGION, journal: REDIS, journalZone: REDIS_ZONE })
  }

  async ledger(): Promise<readonly LedgerRow[]> {
    const { host, httpPort } = this.cluster.plan.nodes[0]!
    const signal = AbortSignal.timeout(LEDGER_TIMEOUT_MS)
    const answer = await fetch(`http://${host}:${httpPort}/api/ledger`, { signal })
    return ((await answer.json()) as { readonly rows: readonly LedgerRow[] }).rows
  }

  async stop(): Promise<void> {
    await this.cluster.stop()
    this.net.remove()
  }

  async kill(): Promise<void> {
    await this.cluster.kill()
    this.net.remove()
  }
}

function namespaceOf(part: Part): string {
  if (part === 's3') return REGION
  return part === 'redis' ? REDIS : ZONES[Number(part.slice('node-'.length)) - 1]!
}
