/**
 * Topic configs under Kafka's names: type, default, range, documentation. The catalog stores overrides as text; code
 * reads resolved values (`resolveTopicConfigs`); DescribeConfigs lists every row, because tools look rows up by name.
 * Source: https://kafka.apache.org/documentation/#topicconfigs
 */
export type ConfigType = keyof typeof CONFIG_TYPE

/** Kafka's numbers for the types, in DescribeConfigs. */
export const CONFIG_TYPE = { boolean: 1, string: 2, int: 3, short: 4, long: 5, double: 6, list: 7 } as const

/** Kafka's numbers for where a value comes from, in DescribeConfigs and CreateTopics answers. */
export const CONFIG_SOURCE = { topic: 1, brokerStatic: 4, default: 5 } as const

export type ConfigRow<T = unknown> = {
  readonly type: ConfigType
  readonly default: string
  readonly broker: string | null // Kafka's name of the same config on a broker
  readonly range: string // in words
  readonly doc: string
  /** undefined: out of range. */
  readonly read: (text: string) => T | undefined
}

type Facts = { readonly default: string; readonly broker?: string; readonly doc: string }

const LONG_MAX = 2n ** 63n - 1n
const INT_MAX = 2n ** 31n - 1n
const NEVER = String(LONG_MAX)
const VALUE_LENGTH_MAX = 4_096 // of lists and free texts

function row<T>(type: ConfigType, facts: Facts, range: string, read: (text: string) => T | undefined): ConfigRow<T> {
  return { type, default: facts.default, broker: facts.broker ?? null, range, doc: facts.doc, read }
}

/** Beyond 2^53 the number read is only near the text: such limits mean "never". */
function whole(type: 'int' | 'long', min: bigint, facts: Facts): ConfigRow<number> {
  const max = type === 'int' ? INT_MAX : LONG_MAX
  return row(type, facts, `a whole number from ${min} to ${max}`, (text) => {
    if (!/^[+-]?\d{1,19}$/.test(text.trim())) return undefined
    const value = BigInt(text.trim().replace('+', ''))
    return value >= min && value <= max ? Number(value) : undefined
  })
}

function truth(facts: Facts): ConfigRow<boolean> {
  return row('boolean', facts, 'true or false', (text) => {
    const word = text.trim().toLowerCase()
    return word === 'true' ? true : word === 'false' ? false : undefined
  })
}

function ratio(facts: Facts): ConfigRow<number> {
  return row('double', facts, 'a number from 0 to 1', (text) => {
    const value = text.trim() === '' ? NaN : Number(text)
    return value >= 0 && value <= 1 ? value : undefined
  })
}

function oneOf<const T extends string>(words: readonly T[], facts: Facts): ConfigRow<T> {
  return row('string', facts, `one of ${words.join(', ')}`, (text) => words.find((word) => word === text.trim()))
}

function listOf<const T extends string>(words: readonly T[], facts: Facts): ConfigRow<readonly T[]> {
  return row('list', facts, `a list, by commas, of ${words.join(', ')}`, (text) => {
    const found = text.split(',').map((item) => words.find((word) => word === item.trim()))
    return found.includes(undefined) ? undefined : found as T[]
  })
}

function anyList(facts: Facts): ConfigRow<readonly string[]> {
  return row('list', facts, `a list, by commas, of at most ${VALUE_LENGTH_MAX} characters`, (text) => {
    if (text.length > VALUE_LENGTH_MAX) return undefined
    return text.trim() === '' ? [] : text.split(',').map((item) => item.trim())
  })
}

function compressionLevel(min: number, max: number, facts: Facts): ConfigRow<number> {
  return row('int', facts, `a whole number from ${min} to ${max}`, (text) => {
    const value = /^-?\d{1,7}$/.test(text.trim()) ? Number(text) : NaN
    return value >= min && value <= max ? value : undefined
  })
}

const NO_LOCAL_LOG =
  'Kept for tools, has no effect: payload lies in the object store, not in segments on a broker\'s disk.'
const NO_REPLICAS = 'Kept for tools, has no effect: the object store replicates, partitions have no replicas.'
const NO_TIERS = 'Kept for tools, has no effect: the object store is the only tier.'

export const TOPIC_CONFIGS = {
  'cleanup.policy': listOf(['delete', 'compact'], { default: 'delete', broker: 'log.cleanup.policy', doc: 'What may happen to old records: deletion by age and size, or keeping the newest of each key.' }),
  'compression.gzip.level': compressionLevel(-1, 9, { default: '-1', broker: 'compression.gzip.level', doc: 'Level of gzip where compression.type asks for it.' }),
  'compression.lz4.level': compressionLevel(1, 17, { default: '9', broker: 'compression.lz4.level', doc: 'Level of lz4 where compression.type asks for it.' }),
  'compression.type': oneOf(['producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'], { default: 'producer', broker: 'compression.type', doc: 'Codec of stored batches; producer keeps what the producer sent.' }),
  'compression.zstd.level': compressionLevel(-131_072, 22, { default: '3', broker: 'compression.zstd.level', doc: 'Level of zstd where compression.type asks for it.' }),
  'delete.retention.ms': whole('long', 0n, { default: '86400000', broker: 'log.cleaner.delete.retention.ms', doc: 'How long compaction keeps a tombstone.' }),
  'file.delete.delay.ms': whole('long', 0n, { default: '60000', broker: 'log.segment.delete.delay.ms', doc: NO_LOCAL_LOG }),
  'flush.messages': whole('long', 1n, { default: NEVER, broker: 'log.flush.interval.messages', doc: 'Kept for tools, has no effect: what is acknowledged is durable.' }),
  'flush.ms': whole('long', 0n, { default: NEVER, broker: 'log.flush.interval.ms', doc: 'Kept for tools, has no effect: what is acknowledged is durable.' }),
  'follower.replication.throttled.replicas': anyList({ default: '', doc: NO_REPLICAS }),
  'index.interval.bytes': whole('int', 0n, { default: '4096', broker: 'log.index.interval.bytes', doc: NO_LOCAL_LOG }),
  'leader.replication.throttled.replicas': anyList({ default: '', doc: NO_REPLICAS }),
  'local.retention.bytes': whole('long', -2n, { default: '-2', broker: 'log.local.retention.bytes', doc: NO_TIERS }),
  'local.retention.ms': whole('long', -2n, { default: '-2', broker: 'log.local.retention.ms', doc: NO_TIERS }),
  'max.compaction.lag.ms': whole('long', 1n, { default: NEVER, broker: 'log.cleaner.max.compaction.lag.ms', doc: 'Longest time a record may stay out of compaction.' }),
  'max.message.bytes': whole('int', 0n, { default: '1048588', broker: 'message.max.bytes', doc: 'Largest record batch taken.' }),
  'message.timestamp.after.max.ms': whole('long', 0n, { default: '3600000', broker: 'log.message.timestamp.after.max.ms', doc: 'How far a record\'s time may lie ahead of ours.' }),
  'message.timestamp.before.max.ms': whole('long', 0n, { default: NEVER, broker: 'log.message.timestamp.before.max.ms', doc: 'How far a record\'s time may lie behind ours.' }),
  'message.timestamp.type': oneOf(['CreateTime', 'LogAppendTime'], { default: 'CreateTime', broker: 'log.message.timestamp.type', doc: 'Whose time records carry: the producer\'s or ours.' }),
  'min.cleanable.dirty.ratio': ratio({ default: '0.5', broker: 'log.cleaner.min.cleanable.ratio', doc: 'Share of records not yet compacted at which compaction is worth it.' }),
  'min.compaction.lag.ms': whole('long', 0n, { default: '0', broker: 'log.cleaner.min.compaction.lag.ms', doc: 'Time a record stays out of compaction.' }),
  'min.insync.replicas': whole('int', 1n, { default: '1', broker: 'min.insync.replicas', doc: NO_REPLICAS }),
  'preallocate': truth({ default: 'false', broker: 'log.preallocate', doc: NO_LOCAL_LOG }),
  'remote.log.copy.disable': truth({ default: 'false', doc: NO_TIERS }),
  'remote.log.delete.on.disable': truth({ default: 'false', doc: NO_TIERS }),
  'remote.storage.enable': truth({ default: 'false', doc: NO_TIERS }),
  'retention.bytes': whole('long', -1n, { default: '-1', broker: 'log.retention.bytes', doc: 'Bytes of a partition above which its oldest records may be deleted; -1: no bound.' }),
  'retention.ms': whole('long', -1n, { default: '604800000', broker: 'log.retention.ms', doc: 'Age at which records may be deleted; -1: never.' }),
  'segment.bytes': whole('int', 14n, { default: '1073741824', broker: 'log.segment.bytes', doc: NO_LOCAL_LOG }),
  'segment.index.bytes': whole('int', 4n, { default: '10485760', broker: 'log.index.size.max.bytes', doc: NO_LOCAL_LOG }),
  'segment.jitter.ms': whole('long', 0n, { default: '0', broker: 'log.roll.jitter.ms', doc: NO_LOCAL_LOG }),
  'segment.ms': whole('long', 1n, { default: '604800000', broker: 'log.roll.ms', doc: NO_LOCAL_LOG }),
  'unclean.leader.election.enable': truth({ default: 'false', broker: 'unclean.leader.election.enable', doc: NO_REPLICAS })
} as const satisfies Record<string, ConfigRow>

export type TopicConfigName = keyof typeof TOPIC_CONFIGS
export type TopicConfigs = {
  readonly [K in TopicConfigName]: (typeof TOPIC_CONFIGS)[K] extends ConfigRow<infer T> ? T : never
}

export type ConfigSynonym = { readonly name: string; readonly value: string; readonly source: number }

/** One config as DescribeConfigs and CreateTopics answers show it. */
export type DescribedConfig = {
  readonly name: string
  readonly value: string
  readonly type: number // CONFIG_TYPE
  readonly source: number // CONFIG_SOURCE
  readonly readOnly: boolean
  readonly synonyms: readonly ConfigSynonym[] // the value's own first
  readonly doc: string
}

/** Says what is wrong with an override, as a sentence; null: nothing. */
export function topicConfigFault(name: string, value: string | null): string | null {
  if (!isTopicConfig(name)) return `Unknown topic config name: ${name}`
  if (value === null) return `Null value not supported for topic configs: ${name}`
  const { read, range } = TOPIC_CONFIGS[name]
  return read(value) === undefined
    ? `Invalid value ${value.slice(0, 100)} for configuration ${name}: must be ${range}`
    : null
}

/** The values a topic works by. Overrides that this version does not know or cannot read give way to the default. */
export function resolveTopicConfigs(overrides: Readonly<Record<string, string>>): TopicConfigs {
  const known = resolved.get(overrides)
  if (known !== undefined) return known
  const values: Record<string, unknown> = {}
  for (const [name, { read, default: fallback }] of topicRows()) {
    const override = overrides[name]
    values[name] = (override === undefined ? undefined : read(override)) ?? read(fallback)
  }
  const configs = Object.freeze(values) as TopicConfigs
  resolved.set(overrides, configs)
  return configs
}

// a topic's overrides are one object until they change
const resolved = new WeakMap<Readonly<Record<string, string>>, TopicConfigs>()

/** Every topic config with its value, by name. */
export function describeTopicConfigs(overrides: Readonly<Record<string, string>>): DescribedConfig[] {
  return topicRows().map(([name, { type, default: fallback, broker, doc }]) => {
    const override = Object.hasOwn(overrides, name) ? overrides[name] : undefined
    const synonyms: ConfigSynonym[] =
      override === undefined ? [] : [{ name, value: override, source: CONFIG_SOURCE.topic }]
    if (broker !== null) synonyms.push({ name: broker, value: fallback, source: CONFIG_SOURCE.default })
    const source = override === undefined ? CONFIG_SOURCE.default : CONFIG_SOURCE.topic
    return { name, value: override ?? fallback, type: CONFIG_TYPE[type], source, readOnly: false, synonyms, doc }
  })
}

function isTopicConfig(name: string): name is TopicConfigName {
  return Object.hasOwn(TOPIC_CONFIGS, name)
}

function topicRows(): [string, ConfigRow][] {
  return Object.entries(TOPIC_CONFIGS)
}
