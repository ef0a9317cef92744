/**
 * One node of a cluster in this process: its journals, registry and leases in Redis, its chunks in an object store that
 * all nodes share, and streams to the other nodes on the HTTP port.
 */
import type { Waiting } from './waiting.ts'
import { CLUSTER_VERSIONS } from '#shared/cluster/cluster-version.ts'
import type { Membership, NodeAddress } from '#shared/cluster/membership.ts'
import { RedisRegistry } from '#shared/cluster/redis-registry.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { measuredJournal } from '#shared/journal/measured-journal.ts'
import { parseRedisAddress } from '#shared/journal/redis-address.ts'
import type { RedisSettings } from '#shared/journal/redis-config.ts'
import type { DurabilityFinding } from '#shared/journal/redis-durability-plan.ts'
import { checkRedisDurability } from '#shared/journal/redis-durability.ts'
import { openRedisJournal } from '#shared/journal/redis-journal.ts'
import { Ledger, type LedgerRow } from '#shared/ledger/ledger.ts'
import type { Redis } from '#shared/runtime/redis.ts'
import type { TransportSettings } from '#shared/transport/config.ts'
import { exposeTransport } from '#shared/transport/metrics.ts'
import { NetworkTransport } from '#shared/transport/network-transport.ts'
import type { ClusterSettings } from '../cluster-config.ts'
import { exposeMemory } from '../metrics.ts'
import { openRedis } from '../platform/redis.ts'
import { newEventLoopLoad } from '../platform/event-loop-load.ts'
import { newRpcDial } from '../platform/rpc-dial.ts'
import type { Accept } from '../platform/rpc-upgrade.ts'
import { askLedgers, serveLedger } from './cluster-ledger.ts'
import { ClusteredNode, claimLife } from './clustered-node.ts'
import { drainNode, listNodes } from './cluster-nodes.ts'
import { openStore } from './open-store.ts'
import { ownInfo } from './own-info.ts'
import { requirePeers } from './peer-check.ts'
import { aboutRefusal } from './redis-refusal.ts'
import { ClusterReadiness, StoreProbe } from './readiness.ts'
import type { Running, StartOptions } from './types.ts'

export type ClusterOptions = StartOptions & {
  readonly journal: string // redis://...
  readonly clusterSettings: ClusterSettings
  readonly redisSettings: RedisSettings
  readonly transportSettings: TransportSettings
  /** Where other nodes reach the HTTP port of this one. */
  readonly rpc: NodeAddress
  readonly attachRpc: (accept: Accept) => void
  readonly waiting: Waiting
}

/** @throws ZonewiseError: what is wrong and cannot pass by itself; nothing is left running. */
export async function startClustered(options: ClusterOptions): Promise<Running> {
  const undo: (() => unknown)[] = []
  const close = async (): Promise<void> => { for (const step of undo.toReversed()) await step() }
  try {
    return await start(options, undo, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function start(options: ClusterOptions, undo: (() => unknown)[], close: () => Promise<void>): Promise<Running> {
  const {
    runtime, log, metrics, memory, network, gatewaySettings, brokerSettings, waiting, clusterSettings: settings
  } =
    options
  const own = ownInfo(options)
  const { redis, prefix, slotGroups } = await openSafeRedis(options, undo)
  const { store, measured, close: closeStore } =
    await waiting.until('the object store', () => openStore({ ...options, isShared: true }))
  undo.push(closeStore)
  const journal = await waiting.until('Redis', () => openRedisJournal({
    redis, prefix, slotGroups, runtime, settings: options.redisSettings, log
  }))
  undo.push(() => journal.close())
  const facts = await claimLife({
    own: { ...own, rpc: options.rpc }, store, journal, runtime, shardsWanted: options.shards, waiting
  })
  const { info, clusterId } = facts
  const ledger = new Ledger()
  const registry = new RedisRegistry({ redis, prefix, timer: runtime.timer, log })
  undo.push(() => { registry.close() })
  const dial = newRpcDial(options.transportSettings.rpcDialTimeoutMs)
  await waiting.until('the registry in Redis', () => requirePeers({
    registry, own: info, clusterId, formats: CLUSTER_VERSIONS, dial, runtime, settings: options.transportSettings
  }))
  const streamsWith = (membership: Membership): NetworkTransport => {
    const streams = new NetworkTransport({
      info, membership, dial, memory, ledger, runtime, log, settings: options.transportSettings
    })
    exposeTransport(metrics, info.zone, () => streams.figures())
    options.attachRpc((socket) => streams.accept(socket))
    return streams
  }
  exposeMemory(metrics, memory)
  const countRedis = redisCells(redis, ledger, info.zone)
  const rows = (): LedgerRow[] => { countRedis(); return ledger.rows() }
  const how = { ledger, zone: info.zone, clock: runtime.clock, metrics }
  const clustered = await ClusteredNode.join({
    ...facts, registry, settings, load: newEventLoopLoad(), memory, network, ledger, runtime, log, metrics, waiting,
    gatewaySettings, brokerSettings, onFatal: options.onFatal, transportWith: streamsWith,
    journal: measuredJournal(journal, { ...how, countedInside: true }), store: await measured(how)
  })
  undo.push(() => clustered.leave())
  const { membership, transport, node } = clustered
  serveLedger(transport, rows)
  const listeners = await clustered.serve(options.listeners)
  const probe = new StoreProbe(store, runtime)
  const readiness = new ClusterReadiness({ node, membership, probe, clock: runtime.clock })
  return {
    endpoints: listeners.map(({ zone, advertisedHost, advertisedPort }) =>
      ({ zone, host: advertisedHost, port: advertisedPort, nodeId: info.nodeId })),
    ready: () => readiness.look(),
    ledger: rows,
    clusterLedger: () => askLedgers(transport, membership),
    nodes: () => listNodes(registry, clusterId),
    drain: (nodeId, draining) => drainNode(transport, membership, nodeId, draining),
    metricsText: () => metrics.render(),
    stop: () => clustered.stop({ awayMs: settings.stopAwayMs, storeAway: () => probe.look(), close })
  }
}

type OpenedRedis = { readonly redis: Redis; readonly prefix: string; readonly slotGroups: number }

/** @throws ZonewiseError REDIS_UNSAFE: what would be lost, and the cure */
async function openSafeRedis(options: ClusterOptions, undo: (() => unknown)[]): Promise<OpenedRedis> {
  const { journal, runtime, redisSettings: settings, log, waiting, clusterSettings } = options
  const address = parseRedisAddress(journal)
  const redis = openRedis(address, { runtime, settings, log })
  undo.push(() => redis.close())
  const check = (): Promise<DurabilityFinding[]> => checkRedisDurability(redis, clusterSettings.journalDurability)
  const findings = await waiting.until('Redis', () =>
    check().catch((error: unknown) => { throw aboutRefusal(error, address) }))
  for (const { kind, sentence } of findings) {
    if (kind === 'advise') log.warn('about this Redis', { redis: redis.name, sentence })
    else if (!clusterSettings.journalUnsafe) throw new ZonewiseError('REDIS_UNSAFE', sentence, { redis: redis.name })
    else {
      log.error(
        'this Redis may lose acknowledged records: running all the same, as told', { redis: redis.name, sentence }
      )
    }
  }
  return { redis, prefix: address.prefix, slotGroups: address.slotGroups }
}

/** What the sockets to Redis carried, registry included: brought into the ledger when it is asked for. */
function redisCells(redis: Redis, ledger: Ledger, zone: string): () => void {
  const sent = ledger.cell(zone, 'journal', 'journal')
  const received = ledger.cell('journal', zone, 'journal')
  return () => {
    const { calls, bytesSent, bytesReceived } = redis.traffic()
    sent.bytes = bytesSent
    sent.requests = calls
    received.bytes = bytesReceived
  }
}
