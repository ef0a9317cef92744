/** What `npm run cluster` says. */
import type { FlagSpec } from '#cli/command/arguments.ts'
import { textTable } from '#cli/command/text-table.ts'
import type { ClusterPlan, ServerPlan } from './cluster-plan.ts'
import type { ZoneHost } from './zone-net.ts'

const address = ({ host, port }: ServerPlan): string => `${host}:${port}`

export function clusterHelp(flags: readonly FlagSpec[]): string {
  const rows = flags.map(({ flag, value, doc }) => `  ${`--${flag} ${value ?? ''}`.padEnd(18)} ${doc}`)
  return `Starts Redis, an S3 server and a node for each of three zones on this machine, until Ctrl-C.

Usage: npm run cluster -- [flags]

${rows.join('\n')}`
}

export function clusterText(plan: ClusterPlan, data: string, readyMs: number): string {
  const { nodes, redis, s3 } = plan
  const [first, second] = nodes.map(({ host, clientPort: port }) => address({ host, port }))
  const table = textTable([
    ['  zone', 'clients', 'HTTP'],
    ...nodes.map(({ zone, host, clientPort, httpPort }) =>
      [`  ${zone}`, address({ host, port: clientPort }), address({ host, port: httpPort })])
  ])
  const http = address({ host: nodes[0]!.host, port: nodes[0]!.httpPort })
  const seconds = (readyMs / 1_000).toFixed(1)
  return `Zonewise runs as ${nodes.length} nodes, ready after ${seconds} s; data and logs in ${data}
${table}
  Redis (journals) ${address(redis)}, S3 server (chunks) http://${address(s3)}
Try, from another terminal:
  echo hello | npx zonewise produce demo --bootstrap-server ${first}
  npx zonewise consume demo --from-beginning --bootstrap-server ${second}
  npx zonewise ledger --http ${http}
Ctrl-C stops all of it.`
}

export function zonesText(plan: ClusterPlan, hosts: readonly ZoneHost[]): string {
  const [first] = plan.nodes
  const http = address({ host: first!.host, port: first!.httpPort })
  const lines = plan.nodes.map(({ zone, host, clientPort: port }) => {
    const { namespace } = hosts.find(({ name }) => name === zone)!
    return `  ip netns exec ${namespace} npx zonewise produce demo --bootstrap-server ${address({ host, port })}`
  })
  return `
Each zone is a network namespace; to run a client inside one:
${lines.join('\n')}
Load from every zone, and the bytes between them, live:
  npx zonewise bench --http ${http}
  npx zonewise ledger --watch --http ${http}
What the kernel counts between the namespaces is shown here every 10 seconds while there is traffic.`
}
