/**
 * Three zones in one process: a node per listener, sharing one store, one journal and one event loop. What passes
 * between nodes is encoded and counted as between machines.
 */
import { CATALOG_SHARD, type ClusterSnapshot, type ListenerInfo, type NodeInfo } from '#shared/cluster/membership.ts'
import { nextNodeEpoch } from '#shared/cluster/node-epoch.ts'
import { leaderOf } from '#shared/cluster/placement.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { openFileJournal } from '#shared/journal/file-journal.ts'
import type { Journal } from '#shared/journal/journal.ts'
import { measuredJournal } from '#shared/journal/measured-journal.ts'
import { MemoryJournal, MemoryJournalMedium } from '#shared/journal/memory-journal.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { InProcessNetwork } from '#shared/transport/in-process.ts'
import { exposeMemory } from '../metrics.ts'
import { openDataFolder, type DataFolder } from '../platform/data-folder.ts'
import { nodeFiles } from '../platform/node-files.ts'
import { takeFolder } from '../platform/own-folder.ts'
import { version } from '../version.ts'
import { agreeOnCluster } from './cluster-facts.ts'
import { type NodeRow, nodeRow } from './cluster-nodes.ts'
import { ZonewiseNode } from './node.ts'
import { folderOf, type OpenedStore, openStore } from './open-store.ts'
import { readinessOf, StoreProbe } from './readiness.ts'
import type { ListenerSpec, Running, StartOptions } from './types.ts'

const PLACE_LOCK = '.lock' // no key of the store, no file of the journal

/** @throws ZonewiseError: what is wrong with folder, ports, store or journal; nothing is left running or locked. */
export async function startEmbedded(options: StartOptions): Promise<Running> {
  const onDisk = [options.store, options.journal].some((place) => place === undefined || place.startsWith('file:'))
  const folder = onDisk ? await openDataFolder(nodeFiles, options.data) : null
  const undo: (() => unknown)[] = folder === null ? [] : [() => folder.close()]
  const close = async (): Promise<void> => { for (const step of undo.toReversed()) await step() }
  try {
    const cluster = await openCluster(options, folder, undo)
    return await startNodes(options, cluster, close)
  } catch (error) {
    await close()
    throw error
  }
}

type Cluster = { readonly clusterId: string; readonly shardCount: number; readonly store: OpenedStore; readonly journal: Journal }

async function openCluster(options: StartOptions, folder: DataFolder | null, undo: (() => unknown)[]): Promise<Cluster> {
  const { runtime } = options
  for (const path of foldersOf(options)) undo.push(await takeFolder(nodeFiles, path, PLACE_LOCK))
  const opened = await openStore(options)
  const { store } = opened
  undo.push(() => opened.close())
  const journal = await openJournal(options)
  undo.push(() => journal.close())
  const { clusterId, shardCount } = await agreeOnCluster(store, journal, runtime.chance, options.shards)
  await folder?.claim(clusterId)
  return { clusterId, shardCount, store: opened, journal }
}

async function openJournal({ journal, data, runtime, log, metrics, onFatal, brokerSettings }: StartOptions): Promise<Journal> {
  if (journal === 'memory:') return new MemoryJournal(new MemoryJournalMedium(), { chance: runtime.chance })
  return openFileJournal({
    files: nodeFiles, folder: folderOf(journal, data, 'journal'), runtime, log, metrics, onFailure: onFatal,
    segmentBytes: brokerSettings.journalSegmentBytes, frameBytesMax: brokerSettings.journalFrameBytesMax,
    recentBytesMax: brokerSettings.journalRecentBytesMax
  })
}

/** Each is locked by itself: another process may name it as its own whatever its data folder is. */
function foldersOf({ store, journal, data }: StartOptions): string[] {
  const places = ([[store, 'store'], [journal, 'journal']] as const)
    .filter(([place]) => place === undefined || place.startsWith('file:'))
  const folders = places.map(([place, name]) => folderOf(place, data, name))
  if (folders[0] === folders[1] && folders.length > 1)
    throw new ZonewiseError('SETTING_INVALID', '--store and --journal name the same folder', { folder: folders[0] })
  return folders
}

async function startNodes(options: StartOptions, cluster: Cluster, close: () => Promise<void>): Promise<Running> {
  const { listeners, memory, runtime, network, log, metrics, gatewaySettings, brokerSettings, onFatal } = options
  const { clusterId, shardCount, store: { store, measured }, journal } = cluster
  const ledger = new Ledger()
  const hub = new InProcessNetwork({ ledger, timer: runtime.timer })
  const infos = await Promise.all(listeners.map(async ({ zone }, i): Promise<NodeInfo> => ({
    nodeId: i + 1, nodeEpoch: await nextNodeEpoch(store, i + 1), zone, roles: { gateway: true, broker: true }, listeners: []
  })))
  const membership = new StaticMembership({ version: 1, clusterId, shardCount, nodes: infos })
  exposeMemory(metrics, memory)
  const nodes = await Promise.all(infos.map(async (info) => {
    const how = { ledger, zone: info.zone, clock: runtime.clock, metrics }
    return new ZonewiseNode({
      info, membership, memory, network, ledger, runtime, metrics, gatewaySettings, brokerSettings, onFatal,
      log: log.child({ node: info.nodeId }), journal: measuredJournal(journal, how), store: await measured(how),
      transport: hub.attach(info)
    })
  }))
  try {
    await Promise.all(nodes.map((node) => node.start()))
    const bound = await Promise.all(nodes.map((node, i) => node.listen([toInfo(listeners[i]!)])))
    membership.set({ version: 2, clusterId, shardCount, nodes: infos.map((info, i) => ({ ...info, listeners: bound[i]! })) })
  } catch (error) {
    for (const node of nodes) node.kill()
    throw error
  }
  const probe = new StoreProbe(store, runtime)
  return {
    endpoints: membership.current().nodes.flatMap(({ nodeId, zone, listeners: own }) =>
      own.map(({ advertisedHost, advertisedPort }) => ({ zone, host: advertisedHost, port: advertisedPort, nodeId }))),
    ready: () => readinessOf(nodes, probe),
    ledger: () => ledger.rows(),
    nodes: async () => rowsOf(membership.current()),
    drain: (nodeId) => Promise.reject(new ZonewiseError('REQUEST_REFUSED', 'the node cannot be drained', {
      nodeId, reason: 'all nodes are in one process here, and stop together'
    })),
    metricsText: () => metrics.render(),
    async stop() {
      await Promise.all(nodes.map((node) => node.stopGateway()))
      await Promise.all(nodes.map((node) => node.stopBroker()))
      await close()
    }
  }
}

function rowsOf(snapshot: ClusterSnapshot): NodeRow[] {
  const shards = [...Array(snapshot.shardCount).keys(), CATALOG_SHARD]
  return snapshot.nodes.map((info) => {
    const led = shards.filter((shard) => leaderOf(snapshot, shard) === info.nodeId)
    return nodeRow(info, { version: version(), led, load: null })
  })
}

function toInfo(spec: ListenerSpec): ListenerInfo {
  return { ...spec }
}
