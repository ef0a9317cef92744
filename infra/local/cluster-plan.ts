/** What a cluster on one machine is made of: addresses and ports of its parts. Pure. */

export type NodePlan = {
  readonly nodeId: number
  readonly zone: string
  readonly host: string
  readonly clientPort: number
  readonly httpPort: number
}
export type ServerPlan = { readonly host: string; readonly port: number }
export type ClusterPlan = { readonly nodes: readonly NodePlan[]; readonly redis: ServerPlan; readonly s3: ServerPlan }

export const ZONES = ['local-az1', 'local-az2', 'local-az3'] as const
export const PORT_COUNT = 2 * ZONES.length + 2

const USUAL_PORTS = {
  client: [19_092, 29_092, 39_092], http: [8_080, 8_081, 8_082], redis: 16_379, s3: 17_070
} as const

/** `hosts`: of the zones, of Redis and of the S3 server. `portsFrom` null: the usual ports, else so many in a row. */
export function planCluster(
  hosts: { readonly zones: readonly string[]; readonly redis: string; readonly s3: string }, portsFrom: number | null
): ClusterPlan {
  const count = ZONES.length
  const port = (usual: number, place: number): number => (portsFrom === null ? usual : portsFrom + place)
  return {
    nodes: ZONES.map((zone, i) => ({
      nodeId: i + 1, zone, host: hosts.zones[i]!, clientPort: port(USUAL_PORTS.client[i]!, i),
      httpPort: port(USUAL_PORTS.http[i]!, count + i)
    })),
    redis: { host: hosts.redis, port: port(USUAL_PORTS.redis, 2 * count) },
    s3: { host: hosts.s3, port: port(USUAL_PORTS.s3, 2 * count + 1) }
  }
}

/** Everything that will listen, and for what. */
export function listening({ nodes, redis, s3 }: ClusterPlan): readonly (ServerPlan & { readonly what: string })[] {
  return [
    ...nodes.flatMap(({ zone, host, clientPort, httpPort }) => [
      { host, port: clientPort, what: `${zone} for clients` }, { host, port: httpPort, what: `${zone} for HTTP` }
    ]),
    { ...redis, what: 'Redis' }, { ...s3, what: 'the S3 server' }
  ]
}
