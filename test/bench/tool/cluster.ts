/** The server under load: one `zonewise start` with three zones, its data in a folder of its own. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { decodeResponseFrame, encodeRequestFrame } from '#shared/wire/framing.ts'
import { API } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR, kafkaErrorName } from '#shared/wire/error-codes.ts'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import { startServer, type Server } from '#test/support/zonewise-process.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { RawClient, type Place } from './raw-client.ts'

const CREATE_TIMEOUT_MS = 60_000
const CONNECTIONS_PER_GATEWAY = 6

export type Cluster = {
  readonly server: Server
  readonly folder: string
  readonly pid: number
  place(zone: number): Place
  ledger(): Promise<LedgerRow[]>
  metricsText(): Promise<string>
  end(): Promise<void>
}

export async function startCluster(flags: readonly string[] = [], folder = temporaryFolder()): Promise<Cluster> {
  const before = process.env['NODE_OPTIONS']
  if (process.env['BENCH_NODE_OPTIONS'] !== undefined) process.env['NODE_OPTIONS'] = process.env['BENCH_NODE_OPTIONS'] // of the server only
  const server = await startServer(folder, flags).finally(() => {
    if (before === undefined) delete process.env['NODE_OPTIONS']
    else process.env['NODE_OPTIONS'] = before
  })
  const { listeners, http } = server.endpoints
  const get = async (path: string): Promise<Response> => fetch(`http://${http.host}:${http.port}${path}`)
  return {
    server, folder,
    pid: server.child.pid!,
    place: (zone) => ({ host: listeners[zone]!.host, port: listeners[zone]!.port }),
    ledger: async () => ((await (await get('/api/ledger')).json()) as { rows: LedgerRow[] }).rows,
    metricsText: async () => (await get('/metrics')).text(),
    end: async () => { await server.end('SIGTERM') }
  }
}

export async function createTopic(place: Place, name: string, numPartitions: number): Promise<void> {
  const client = await RawClient.open(place)
  const topics = [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }]
  const frames = encodeRequestFrame(API.createTopics, { version: 5, correlationId: 0, clientId: 'zonewise-bench' }, {
    topics, timeoutMs: CREATE_TIMEOUT_MS, validateOnly: false
  })
  const { body } = decodeResponseFrame(API.createTopics, 5, await client.ask(Buffer.concat(frames)))
  client.close()
  const code = body.topics[0]?.errorCode ?? KAFKA_ERROR.UNKNOWN_SERVER_ERROR
  if (code !== 0) throw new Error(`topic not created: ${kafkaErrorName(code)}`)
}

/** Opens `count` connections to one gateway. */
export function openClients(place: Place, count = CONNECTIONS_PER_GATEWAY): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => RawClient.open(place)))
}

/** Chunk objects in the file store of a cluster. */
export function chunkCount({ folder }: Cluster): number {
  return readdirSync(join(folder, 'data', 'store', 'chunks'), { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).length
}
