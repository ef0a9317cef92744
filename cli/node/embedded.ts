/**
 * Three zones in one process: a node per listener, sharing one store, one journal and one event loop. What passes
 * between nodes is encoded and counted as between machines.
 */
import { agreeOnClusterId } from '#shared/cluster/cluster-id.ts'
import { CATALOG_SHARD, type ListenerInfo, type NodeInfo } from '#shared/cluster/membership.ts'
import { nextNodeEpoch } from '#shared/cluster/node-epoch.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { openFileJournal } from '#shared/journal/file-journal.ts'
import type { Journal } from '#shared/journal/journal.ts'
import { measuredJournal } from '#shared/journal/measured-journal.ts'
import { MemoryJournal, MemoryJournalMedium } from '#shared/journal/memory-journal.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { uuidFromBytes } from '#shared/binary/uuid.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { InProcessNetwork } from '#shared/transport/in-process.ts'
import { exposeMemory } from '../metrics.ts'
import { openDataFolder, type DataFolder } from '../platform/data-folder.ts'
import { nodeFiles } from '../platform/node-files.ts'
import { ZonewiseNode } from './node.ts'
import { folderOf, type OpenedStore, openStore } from './open-store.ts'
import type { ListenerSpec, Running, StartOptions } from './types.ts'

/** The number of shards is fixed when a cluster is made; it stands beside its id. */
const SHARDS_KEY = 'meta/shards'

/** @throws ZonewiseError: what is wrong with folder, ports, store or journal; nothing is left running or locked. */
export async function startEmbedded(options: StartOptions): Promise<Running> {
  const onDisk = [options.store, options.journal].some((place) => place === undefined || place.startsWith('file:'))
  const folder = onDisk ? await openDataFolder(nodeFiles, options.data) : null
  const undo: (() => unknown)[] = folder === null ? [] : [() => folder.close()]
  try {
    const cluster = await openCluster(options, folder, undo)
    return await startNodes(options, cluster, folder)
  } catch (error) {
    for (const step of undo.toReversed()) await step()
    throw error
  }
}

type Cluster = { readonly clusterId: string; readonly shardCount: number; readonly store: OpenedStore; readonly journal: Journal }

async function openCluster(options: StartOptions, folder: DataFolder | null, undo: (() => unknown)[]): Promise<Cluster> {
  const { runtime } = options
  const opened = await openStore(options)
  const { store } = opened
  undo.push(() => opened.close())
  const journal = await openJournal(options)
  undo.push(() => journal.close())
  const clusterId = await agreeOnClusterId(store, journal, uuidFromBytes(runtime.chance.bytes(16)))
  const shardCount = await agreeOnShards(store, options.shards)
  for (const shard of [...Array(shardCount).keys(), CATALOG_SHARD]) await journal.create(shard)
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

async function agreeOnShards(store: ObjectStore, wanted: number): Promise<number> {
  try {
    await store.putIfAbsent(SHARDS_KEY, [new TextEncoder().encode(String(wanted))])
    return wanted
  } catch (error) {
    if (!(error instanceof ZonewiseError) || error.code !== 'OBJECT_EXISTS') throw error
    return Number(new TextDecoder().decode(await store.get(SHARDS_KEY)))
  }
}

async function startNodes(options: StartOptions, cluster: Cluster, folder: DataFolder | null): Promise<Running> {
  const { listeners, memory, runtime, network, log, metrics, gatewaySettings, brokerSettings } = options
  const { clusterId, shardCount, store: { store, measured, close }, journal } = cluster
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
      info, membership, memory, network, ledger, runtime, metrics, gatewaySettings, brokerSettings,
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
  return {
    endpoints: membership.current().nodes.flatMap(({ nodeId, zone, listeners: own }) =>
      own.map(({ advertisedHost, advertisedPort }) => ({ zone, host: advertisedHost, port: advertisedPort, nodeId }))),
    ready: async () => {
      const missing = nodes.flatMap((node, i) => node.missingShards().map((shard) =>
        `${shard === CATALOG_SHARD ? 'the catalog' : `shard ${shard}`} has no leader (node ${i + 1})`))
      await proveStore(store, runtime.chance.uuid()).catch(() => missing.push('the store took no PUT'))
      return { ready: missing.length === 0, missing }
    },
    ledger: () => ledger.rows(),
    metricsText: () => metrics.render(),
    async stop() {
      await Promise.all(nodes.map((node) => node.stopGateway()))
      await Promise.all(nodes.map((node) => node.stopBroker()))
      await journal.close()
      await close()
      folder?.close()
    }
  }
}

/** What a gateway needs: a PUT that lasts. The object is deleted again. */
async function proveStore(store: ObjectStore, id: string): Promise<void> {
  const key = `meta/probe/${id}`
  await store.put(key, [new Uint8Array(0)])
  await store.delete(key)
}

function toInfo(spec: ListenerSpec): ListenerInfo {
  return { ...spec }
}
