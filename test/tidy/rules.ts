/** The rules of test/tidy as data: who may import whom, what is banned where, and how long a file may be. */

/** A layer may import itself and the layers it names; of those in `types` it may import types. */
export type Layer = { readonly name: string; readonly folders: readonly string[]; readonly imports: readonly string[]
  readonly types?: readonly string[] }

export const LAYERS: readonly Layer[] = [
  { name: 'base', folders: ['shared/errors', 'shared/runtime', 'shared/binary'], imports: [] },
  { name: 'formats', folders: ['shared/wire', 'shared/records', 'shared/object', 'shared/rpc'], imports: ['base'], types: ['house'] },
  { name: 'house', folders: ['shared/log', 'shared/metrics', 'shared/config', 'shared/ledger', 'shared/limiter'], imports: ['base', 'formats'] },
  { name: 'seams', folders: ['shared/store', 'shared/journal', 'shared/cluster', 'shared/transport'], imports: ['base', 'formats', 'house'] },
  { name: 'gateway', folders: ['gateway'], imports: ['base', 'formats', 'house', 'seams'] },
  { name: 'broker', folders: ['broker'], imports: ['base', 'formats', 'house', 'seams'] },
  { name: 'cli', folders: ['cli'], imports: ['base', 'formats', 'house', 'seams', 'gateway', 'broker'] },
  { name: 'infra', folders: ['infra'], imports: ['base', 'formats', 'house', 'seams', 'gateway', 'broker', 'cli'] },
  { name: 'test', folders: ['test'], imports: ['base', 'formats', 'house', 'seams', 'gateway', 'broker', 'cli', 'infra'] }
]

/** The one thing that a pure file may import besides types, constants and other pure files. */
export const PURE_FILES = /-(state|plan)\.ts$/
export const PURE_BANNED_FOLDERS = ['shared/store/', 'shared/log/', 'shared/metrics/', 'shared/transport/', 'shared/journal/'] as const
export const PURE_BANNED_WORDS: readonly Ban[] = [
  { pattern: /\basync\b|\bawait\b|\bnew Promise\b/, instead: 'a pure file has no async: the driver awaits' },
  { pattern: /\bnode:(?!assert)/, instead: 'a pure file imports nothing of Node but node:assert' }
]

/** Packages from npm and where they may be named. Everything else of `node:` is open to all but what CORE_BANS says. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-s3': ['shared/store/s3/'],
  '@node-rs/crc32': ['shared/binary/crc32c.ts'],
  '@smithy/signature-v4': ['shared/store/s3/signer.ts', 'test/bench/tool/'],
  'consistent-hash': ['shared/cluster/'],
  ioredis: ['cli/platform/redis-connection.ts'],
  kafkajs: ['cli/command/', 'test/'],
  '@platformatic/kafka': ['test/clients/'],
  pino: ['cli/platform/pino-log.ts'],
  undici: ['cli/platform/', 'shared/store/s3/', 'test/bench/tool/']
}

export type Ban = { readonly pattern: RegExp; readonly instead: string }

/** In shared/, gateway/ and broker/. */
export const CORE_BANS: readonly Ban[] = [
  { pattern: /\bDate\.now\b|\bnew Date\(\)/, instead: 'use runtime.clock.nowMs()' },
  { pattern: /\bperformance\.now\b/, instead: 'use runtime.clock.monotonicMs()' },
  { pattern: /\bsetTimeout\(|\bsetInterval\(/, instead: 'use runtime.timer.after()' },
  { pattern: /\bsetImmediate\(|\bprocess\.nextTick\b/, instead: 'use runtime.timer.soon()' },
  { pattern: /\bMath\.random\b|\brandomUUID\b|\brandomBytes\b|\brandomInt\b/, instead: 'use runtime.chance' },
  { pattern: /\bconsole\./, instead: 'use the Log that was passed in' },
  { pattern: /(?<!-)\bprocess\./, instead: 'take it as an argument: only cli/ knows the process' },
  { pattern: /from 'node:(net|http|https|dgram|tls|fs|fs\/promises|child_process|worker_threads|os)'/, instead: 'take Network or Files as an argument' }
]

/** Everywhere. */
export const ALL_BANS: readonly Ban[] = [
  { pattern: /\bas any\b|: any\b|<any>|\bany\[\]/, instead: 'give it a type, or unknown' },
  { pattern: /^\s*(export )?(const )?enum \w|^\s*(export )?namespace \w/, instead: 'use an `as const` object and a union' },
  { pattern: /^\s*(private|protected|public) (?!constructor)(readonly )?#?\w/, instead: 'use a #private field' },
  { pattern: /\bTODO\b|\bFIXME\b|\bXXX\b/, instead: 'do it, or write an issue' },
  { pattern: /(^|[\s'"`(=])\/(root|home|Users|work)\//, instead: 'no path of one machine' },
  { pattern: /@ts-ignore|@ts-nocheck/, instead: 'correct the type' }
]

export const LINE_COLUMNS_MAX = 120
export const FILE_LINES_MAX = 350

/** Lines that only data makes long: a row of settings, an error, a command's flag, the title of a test. */
export const LONG_LINES_ALLOWED: readonly { readonly file: RegExp; readonly line: RegExp }[] = [
  { file: /configs?\.ts$/, line: /doc: / },
  { file: /metrics\.ts$/, line: /help: / },
  { file: /shared\/errors\/error-codes\.ts$/, line: /todo: / },
  { file: /cli\/command\/commands\.ts$/, line: /doc: |summary: / },
  { file: /^test\//, line: /^\s*test\(/ }
]

/** Files with lines longer than LINE_COLUMNS_MAX, from before the rule: whoever wraps them takes them off. */
export const WRAP_YET: ReadonlySet<string> = new Set([
  'broker/partition/commit-service.ts', 'broker/reader/zone-reader.ts', 'broker/shard/durable-shard.ts',
  'broker/shard/feed-sender.ts', 'broker/shard/leadership.ts', 'broker/shard/shard-host.ts',
  'broker/shard/shard-index.ts', 'broker/shard/snapshot-store.ts', 'broker/shard/snapshot.ts',
  'broker/shard/view-runner.ts', 'cli/http/http-server.ts', 'cli/node/embedded.ts',
  'cli/platform/data-folder.ts', 'gateway/api/fetch.ts', 'gateway/api/handler.ts', 'gateway/fetch/fetcher.ts',
  'gateway/gateway.ts', 'gateway/ingest/ingest.ts', 'gateway/listener/client.ts', 'gateway/listener/connection.ts',
  'gateway/listener/limited-log.ts', 'gateway/listener/listeners.ts', 'gateway/metrics.ts',
  'shared/cluster/cluster-id.ts', 'shared/cluster/placement.ts',
  'shared/journal/file-journal.ts', 'shared/journal/file-shard.ts', 'shared/journal/journal-meta.ts',
  'shared/journal/log-writer.ts', 'shared/journal/memory-journal.ts', 'shared/journal/recovery.ts',
  'shared/journal/segment-format.ts', 'shared/rpc/feed.ts', 'shared/rpc/read.ts',
  'shared/runtime/files.ts', 'shared/store/file-store.ts', 
  'shared/transport/in-process.ts', 'test/bench/run.ts',
  'test/bench/scenario/chunk-count.ts', 'test/bench/scenario/cross-zone.ts', 'test/bench/scenario/fan-out.ts',
  'test/bench/scenario/latency.ts', 'test/bench/scenario/memory.ts', 'test/bench/tool/cluster.ts',
  'cli/load/raw-client.ts', 'cli/load/readers.ts', 'test/conformance/journal/file-journal.test.ts',
  'test/conformance/journal/journal-suite.ts', 'test/conformance/journal/journal.test.ts',
  'test/conformance/store/store-suite.ts', 'test/drill/kill-drill.ts', 'test/integration/cli/http.int.test.ts',
  'test/property/broker/shard/shard-index.prop.test.ts', 'test/support/data-twin.ts', 'test/support/gateway-twin.ts',
  'test/support/view-twin.ts', 'test/unit/broker/cache/block-cache.test.ts',
  'test/unit/broker/catalog/catalog-plan.test.ts', 'test/unit/broker/catalog/catalog-view.test.ts',
  'test/unit/broker/reader/request-plans.test.ts', 'test/unit/broker/reader/zone-reader.test.ts',
  'test/unit/gateway/fetch/fetcher.test.ts',
  'test/unit/gateway/ingest/ingest.test.ts', 'test/unit/gateway/ingest/log-cache.test.ts',
  'test/unit/gateway/listener/connection.test.ts', 'test/unit/gateway/listener/frame-arena.test.ts',

  'test/unit/shared/binary/memory-pool.test.ts', 'test/unit/shared/cluster/identity.test.ts',
  'test/unit/shared/journal/segment-format.test.ts', 'test/unit/shared/transport/in-process.test.ts',
  'broker/shard/feed-receiver.ts', 'broker/shard/index-page.ts', 'broker/shard/lead-keeper.ts',
  'broker/shard/snapshotter.ts', 'cli/command/start.ts', 'cli/docs/formats-page.ts',
  'cli/platform/redis-connection.ts', 'shared/binary/writer.ts', 'shared/cluster/announcement.ts',
  'shared/cluster/cluster-membership.ts', 'shared/cluster/redis-registry-scripts.ts',
  'shared/cluster/redis-registry.ts', 'shared/cluster/registry.ts', 'shared/journal/redis-durability.ts',
  'shared/store/s3/connections.ts', 'shared/store/s3/credentials.ts', 'shared/store/s3/failure-plan.ts',
  'shared/store/s3/s3-store.ts', 'shared/transport/handshake-messages.ts', 'test/bench/scenario/journal-redis.ts',
  'test/bench/scenario/object-store.ts', 'test/bench/scenario/rpc.ts', 'test/bench/tool/rpc-load.ts',
  'test/bench/tool/rpc-server.child.ts', 'test/bench/tool/store-load.child.ts', 'test/bench/tool/store-load.ts',
  'test/bench/tool/store-sink.child.ts', 'test/conformance/journal/redis-journal.test.ts',
  'test/conformance/registry/registry-suite.ts', 'test/conformance/store/s3-faults.test.ts',
  'test/conformance/store/s3-hedges.test.ts', 'test/conformance/store/s3-refusals.test.ts',
  'test/conformance/store/store-probe.test.ts', 'test/conformance/transport/network-faults.test.ts',
  'test/conformance/transport/network-handshake.test.ts', 'test/conformance/transport/network-transport.test.ts',
  'test/conformance/transport/rpc-upgrade.test.ts', 'test/conformance/transport/transport-suite.ts',
  'test/conformance/transport/transport.test.ts', 'test/integration/shared/transport/peer-dies.int.test.ts',
  'test/integration/shared/transport/rpc-node.child.ts', 'test/property/broker/shard/snapshot-store.prop.test.ts',
  'test/property/shared/transport/frame-reader.prop.test.ts',
  'test/property/shared/transport/network-transport.prop.test.ts',
  'test/services/journal/redis-conformance.service.test.ts', 'test/services/journal/redis-faults.service.test.ts',
  'test/services/journal/redis-topologies.service.test.ts', 'test/services/registry/redis-registry.service.test.ts',
  'test/services/store/bucket.service.test.ts', 'test/services/store/s3-store.service.test.ts',
  'test/services/tool/redis-journals.ts', 'test/services/tool/redis-topologies.ts', 'test/support/frame-samples.ts',
  'test/support/leased-cluster.ts', 'test/support/loopback-pair.ts', 'test/support/memory-streams.ts',
  'test/support/redis-twin.ts', 'test/support/s3/fake-s3.ts', 'test/support/s3/open-fake.ts',
  'test/support/s3/self-signed.ts', 'test/support/s3/signature-check.ts', 'test/support/transport-pair.ts',
  'test/unit/broker/shard/feed.test.ts', 'test/unit/broker/shard/hand-over.test.ts',
  'test/unit/broker/shard/lost-tail.test.ts', 'test/unit/cli/platform/redis-frame.test.ts',
  'test/unit/cli/platform/redis-slots.test.ts', 'test/unit/shared/cluster/cluster-membership.test.ts',
  'test/unit/shared/journal/redis-address.test.ts', 'test/unit/shared/journal/redis-durability-plan.test.ts',
  'test/unit/shared/store/s3/credentials.test.ts', 'test/unit/shared/store/s3/failure-plan.test.ts',
  'test/unit/shared/store/s3/hedger.test.ts', 'test/unit/shared/store/s3/s3-address.test.ts',
  'test/unit/shared/transport/frame-reader.test.ts'
])

/** Files above FILE_LINES_MAX, each with its reason. */
export const LONG_FILES: Readonly<Record<string, string>> = {}

/** Where a process or a tool begins: files that nothing imports. */
export const ENTRIES: readonly RegExp[] = [
  /^cli\/(zonewise|run)\.mjs$/, /^cli\/main\.ts$/, /^cli\/docs\/generate\.ts$/, /^infra\/local\/(build-s3-server|cluster)\.ts$/,
  /^test\/run\.ts$/, /^test\/tidy\/tidy\.ts$/,
  /\.(test|prop\.test|int\.test|sim|child)\.ts$/, /^test\/(simulation|bench|clients|drill)\/.*\.(ts|mjs)$/, /\.d\.ts$/
]
