/** Services of a gateway for tests: a catalog in memory, calls answered by the test, time that stands still. */
import { FetchedLately } from '#gateway/fetch/fetched-lately.ts'
import { gatewaySettings, type GatewaySettings } from '#gateway/config.ts'
import type { GatewayServices, RequestContext } from '#gateway/api/handler.ts'
import { ProducerIds } from '#gateway/api/producer-ids.ts'
import { ListenerMetrics } from '#gateway/metrics.ts'
import { observedThroughListener } from '#gateway/zone/client-zone.ts'
import { ClientZones } from '#gateway/zone/client-zones.ts'
import { Guests } from '#gateway/zone/guests.ts'
import { AnswerBytes } from '#gateway/listener/answer-bytes.ts'
import { FrameArena } from '#gateway/listener/frame-arena.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import type { CatalogReader, TopicInfo } from '#shared/cluster/catalog-reader.ts'
import type { ClusterSnapshot, ListenerInfo, NodeInfo } from '#shared/cluster/membership.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import type { Log, LogFields } from '#shared/log/log.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import type { CallOptions, CallReply, Transport } from '#shared/transport/transport.ts'
import { ManualRuntime } from './manual-runtime.ts'

export const CLUSTER_ID = 'Y2x1c3Rlci1mb3ItdGVzdA'

export class RecordingLog implements Log {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[] = []

  error(message: string, fields: LogFields = {}): void { this.lines.push({ level: 'error', message, fields }) }
  warn(message: string, fields: LogFields = {}): void { this.lines.push({ level: 'warn', message, fields }) }
  info(message: string, fields: LogFields = {}): void { this.lines.push({ level: 'info', message, fields }) }
  debug(): void {}
  child(): Log { return this }
  flush(): void {}

  /** Messages of one level. */
  of(level: string): string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message)
  }
}

/** Topics that `hidden` holds are in the journal, but in this view only after a barrier. */
export class CatalogTwin implements CatalogReader {
  readonly known = new Map<string, TopicInfo>()
  readonly hidden: TopicInfo[] = []
  barriers = 0
  failing = false

  topicByName(name: string): TopicInfo | null {
    return this.topics().find((topic) => topic.name === name) ?? null
  }

  topicById(topicId: string): TopicInfo | null {
    return this.known.get(topicId) ?? null
  }

  topics(): readonly TopicInfo[] {
    return [...this.known.values()].filter(({ state }) => state !== 'deleting').sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  barrier(): Promise<void> {
    this.barriers += 1
    if (this.failing) return Promise.reject(new ZonewiseError('JOURNAL_UNSETTLED', 'the journal does not answer'))
    for (const topic of this.hidden.splice(0)) this.add(topic)
    return Promise.resolve()
  }

  producerIdIssuedMs(): number | null { return null }
  clusterVersion(): number { return 1 }
  watch(): () => void { return () => {} }

  add(topic: TopicInfo): void {
    this.known.set(topic.topicId, topic)
  }
}

export function topic(name: string, given: Partial<TopicInfo> = {}): TopicInfo {
  const partitionCount = given.partitionCount ?? 3
  const topicId = Buffer.from(name.padEnd(16, '.')).toString('base64url')
  return { topicId, name, partitionCount, readyPartitionCount: partitionCount, replicationFactor: 1, configs: {}, state: 'ready', replacedMs: null, ...given }
}

type Answerer = (node: number, request: never, options: CallOptions) => unknown

/** Calls are answered by functions of the test; a throw is what the caller gets. */
export class TransportTwin implements Transport {
  readonly nodeId = 1
  readonly calls: { readonly node: number; readonly name: string; readonly request: unknown; readonly options: CallOptions }[] = []
  readonly #answers = new Map<string, Answerer>()

  on<Request, Response>(
    call: RpcCall<Request, Response>, answer: (node: number, request: Request, options: CallOptions) => Response | Promise<Response>
  ): void {
    this.#answers.set(call.name, answer as unknown as Answerer)
  }

  async call<Request, Response>(
    node: number, call: RpcCall<Request, Response>, request: Request, options: CallOptions
  ): Promise<CallReply<Response>> {
    this.calls.push({ node, name: call.name, request, options })
    const answer = this.#answers.get(call.name)
    if (answer === undefined) throw new ZonewiseError('RPC_UNAVAILABLE', 'nobody there', { node })
    return { response: await answer(node, request as never, options) as Response, payload: [] }
  }

  serve(): void {}
  close(): void {}
}

export function listenerOf(nodeId: number, zone: string, given: Partial<ListenerInfo> = {}): ListenerInfo {
  return { name: 'kafka', zone, host: '127.0.0.1', port: 9_092, advertisedHost: `node-${nodeId}.test`, advertisedPort: 9_092, ...given }
}

export function nodeOf(nodeId: number, zone: string, given: Partial<NodeInfo> = {}): NodeInfo {
  return { nodeId, nodeEpoch: 1, zone, roles: { gateway: true, broker: true }, listeners: [listenerOf(nodeId, zone)], ...given }
}

/** Nodes 1 and 2 in az1, 3 in az2, unless given. */
export function snapshotOf(nodes: readonly NodeInfo[] = [nodeOf(1, 'az1'), nodeOf(2, 'az1'), nodeOf(3, 'az2')], version = 1): ClusterSnapshot {
  return { version, clusterId: CLUSTER_ID, shardCount: 4, nodes }
}

export type Twin = {
  readonly services: GatewayServices
  readonly runtime: ManualRuntime
  readonly catalog: CatalogTwin
  readonly transport: TransportTwin
  readonly membership: StaticMembership
  readonly log: RecordingLog
  readonly ledger: Ledger
  readonly listenerMetrics: ListenerMetrics
}

/** Node 1 in az1. Handlers of data are not served: there is no fetcher, and of the ingest only the memory of frames. */
export function gatewayTwin(settings: Partial<GatewaySettings> = {}): Twin {
  const runtime = new ManualRuntime()
  const catalog = new CatalogTwin()
  const transport = new TransportTwin()
  const membership = new StaticMembership(snapshotOf())
  const log = new RecordingLog()
  const ledger = new Ledger()
  const metrics = new Metrics()
  const listenerMetrics = new ListenerMetrics(metrics, 'az1')
  const caller = { membership, transport, log, settings: { ...gatewaySettings.defaults(), ...settings } }
  const services = {
    nodeId: 1, nodeEpoch: 7, zone: 'az1', clusterId: CLUSTER_ID, runtime, ledger, metrics, catalog,
    clientZones: new ClientZones({ membership, nodeId: 1, zone: 'az1', zones: [], followsClaims: false, runtime }),
    guests: new Guests({ clock: runtime.clock, isServed: () => true, guestsMax: 100 }),
    producerIds: new ProducerIds(caller), answerBytes: new AnswerBytes(caller.settings.answerBytesMax, listenerMetrics.answerBytes), ingest: { arena: new FrameArena(new MemoryPool({ regionBytes: 2 ** 20, poison: true })) }, ...caller
  }
  return { services: services as unknown as GatewayServices, runtime, catalog, transport, membership, log, ledger, listenerMetrics }
}

export function contextOf(given: Partial<RequestContext> = {}): RequestContext {
  const listener = given.listener ?? listenerOf(1, 'az1')
  return {
    connectionId: '1-7-1', listener, zone: listener.zone, mustMove: false, zoneEvidence: observedThroughListener(listener.zone), principal: 'anonymous',
    clientId: 'test', clientHost: '/10.0.0.7', requestId: '1-7-1-1', signal: new AbortController().signal,
    fetchedLately: new FetchedLately(), claimRack() {}, holdOrder: () => () => {}, afterwards() {}, mayReadAgain() {}, ...given
  }
}
