/** Node 2 in a process of its own: answers `ask` at once, or never if it is asked for number -1. */
import { serveHttp } from '#cli/http/http-server.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { silentLog } from '#shared/log/log.ts'
import { transportSettings } from '#shared/transport/config.ts'
import { NetworkTransport } from '#shared/transport/network-transport.ts'
import { askCall, says } from '#test/conformance/transport/transport-suite.ts'

const [nodeEpoch = 1, ...args] = process.argv.slice(2).map(Number)
const [clusterId, rpcSecret] = [process.env['TEST_CLUSTER_ID']!, process.env['TEST_SECRET']!]
const transport = new NetworkTransport({
  info: { nodeId: 2, nodeEpoch, zone: 'az2' }, membership: new StaticMembership({ version: 1, clusterId, shardCount: 1, nodes: [] }), memory: new MemoryPool(),
  ledger: new Ledger(), runtime: nodeRuntime, log: silentLog, dial: () => Promise.reject(new Error('this node calls nobody')), settings: { ...transportSettings.defaults(), rpcSecret }
})
transport.serve(askCall, ({ number }) => number < 0 ? new Promise(() => {}) : Promise.resolve(says(String(number))))
const http = await serveHttp({ host: '127.0.0.1', port: args[0] ?? 0, runtime: nodeRuntime })
http.attachRpc((socket) => transport.accept(socket))
process.send!(http.port)
