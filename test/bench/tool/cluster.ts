/** The server under load: one `zonewise start` with three zones, its data in a folder of its own. */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import { startServer, type Server } from '#test/support/zonewise-process.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import type { Figure } from '../scenario/scenario.ts'
import { figure } from './figure.ts'
import { MemoryWatch } from './process-stats.ts'
import type { Place } from '#cli/load/raw-client.ts'

/** What the server may occupy under any load. */
export const RSS_GOAL_MIB = 400
const MIB = 2 ** 20

export type ClusterOptions = {
  readonly folder?: string // none: a new one
  readonly nodeOptions?: string // of the server's Node
}

export type Cluster = {
  readonly server: Server
  readonly memory: MemoryWatch
  readonly folder: string
  readonly pid: number
  place(zone: number): Place
  ledger(): Promise<LedgerRow[]>
  end(signal?: NodeJS.Signals): Promise<void>
}

/** BENCH_NODE_OPTIONS of the environment reach the server too: profiles, flags of the engine. */
export async function startCluster({ folder = temporaryFolder(), nodeOptions = '' }: ClusterOptions = {}): Promise<Cluster> {
  const before = process.env['NODE_OPTIONS']
  process.env['NODE_OPTIONS'] = [process.env['BENCH_NODE_OPTIONS'], nodeOptions].filter(Boolean).join(' ')
  const server = await startServer(folder).finally(() => {
    if (before === undefined) delete process.env['NODE_OPTIONS']
    else process.env['NODE_OPTIONS'] = before
  })
  const { listeners, http } = server.endpoints
  const get = async (path: string): Promise<Response> => fetch(`http://${http.host}:${http.port}${path}`)
  const memory = new MemoryWatch(server.child.pid!)
  return {
    server, folder, memory,
    pid: server.child.pid!,
    place: (zone) => ({ host: listeners[zone]!.host, port: listeners[zone]!.port }),
    ledger: async () => ((await (await get('/api/ledger')).json()) as { rows: LedgerRow[] }).rows,
    end: async (signal) => {
      memory.stop()
      await server.end(signal ?? 'SIGTERM')
    }
  }
}

/** Runs a scenario on a server of its own, whose data is removed afterwards, and adds the most memory it took. */
export async function withCluster(run: (cluster: Cluster) => Promise<Figure[]>, options: ClusterOptions = {}): Promise<Figure[]> {
  const cluster = await startCluster(options)
  try {
    const figures = await run(cluster)
    return [...figures, rssFigure('server RSS, most', cluster)]
  } finally {
    await cluster.end()
    rmSync(cluster.folder, { recursive: true, force: true })
  }
}

/** The most memory since the last figure of this kind. */
export function rssFigure(what: string, { memory }: Cluster, max = RSS_GOAL_MIB): Figure {
  return figure(what, memory.takeMost() / MIB, 'MiB', { max })
}

/** Chunk objects in the file store of a cluster. */
export function chunkCount({ folder }: Cluster): number {
  return readdirSync(join(folder, 'data', 'store', 'chunks'), { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).length
}
