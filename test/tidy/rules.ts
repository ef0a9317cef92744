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

/** What we write to; longer lines are counted. */
export const LINE_COLUMNS_GOAL = 120
/** What stops a commit. */
export const LINE_COLUMNS_MAX = 200
export const FILE_LINES_MAX = 350

/** Lines that only data makes long: a row of settings, an error, a command's flag, a table of a message. */
export const LONG_LINES_ALLOWED: readonly { readonly file: RegExp; readonly line: RegExp }[] = [
  { file: /configs?\.ts$/, line: /doc: / },
  { file: /metrics\.ts$/, line: /help: / },
  { file: /shared\/errors\/error-codes\.ts$/, line: /todo: / },
  { file: /cli\/command\/commands\.ts$/, line: /doc: |summary: / },
  { file: /^test\//, line: /./ },
  { file: /./, line: /^import / }
]

/** Files above FILE_LINES_MAX, each with its reason. */
export const LONG_FILES: Readonly<Record<string, string>> = {}

/** Where a process or a tool begins: files that nothing imports. */
export const ENTRIES: readonly RegExp[] = [
  /^cli\/(zonewise|run)\.mjs$/, /^cli\/main\.ts$/, /^cli\/docs\/generate\.ts$/, /^infra\/local\/build-s3-server\.ts$/, /^test\/run\.ts$/, /^test\/tidy\/tidy\.ts$/,
  /\.(test|prop\.test|int\.test|sim|child)\.ts$/, /^test\/(simulation|bench|clients|drill)\/.*\.(ts|mjs)$/, /\.d\.ts$/
]
