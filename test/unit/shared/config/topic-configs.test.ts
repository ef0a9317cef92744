import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BROKER_CONFIGS, describeBrokerConfigs } from '#shared/config/broker-configs.ts'
import {
  CONFIG_SOURCE, describeTopicConfigs, resolveTopicConfigs, TOPIC_CONFIGS, topicConfigFault, type ConfigRow
} from '#shared/config/topic-configs.ts'

test('topic-configs: every default is a value of its own row', () => {
  for (const [name, row] of Object.entries<ConfigRow>(TOPIC_CONFIGS)) {
    assert.notEqual(row.read(row.default), undefined, name)
  }
})

test('topic-configs: overrides out of range are named as faults', () => {
  const good: [string, string][] = [
    ['cleanup.policy', 'compact,delete'], ['retention.ms', '-1'], ['retention.ms', '9223372036854775807'],
    ['preallocate', 'TRUE'],
    ['min.cleanable.dirty.ratio', '0.1'], ['message.timestamp.type', 'LogAppendTime'], ['compression.type', 'zstd']
  ]
  for (const [name, value] of good) assert.equal(topicConfigFault(name, value), null, name)
  const bad: [string, string | null][] = [
    ['cleanup.policy', 'shred'], ['cleanup.policy', ''], ['retention.ms', '-2'],
    ['retention.ms', '9223372036854775808'], ['retention.ms', '1e3'],
    ['preallocate', 'yes'], ['min.cleanable.dirty.ratio', '1.1'], ['min.cleanable.dirty.ratio', ''],
    ['max.message.bytes', '2147483648'],
    ['compression.type', 'rar'], ['no.such.config', '1'], ['toString', '1'], ['retention.ms', null]
  ]
  for (const [name, value] of bad) assert.notEqual(topicConfigFault(name, value), null, `${name}=${value}`)
})

test('topic-configs: values resolve to overrides, else to defaults', () => {
  const overrides = { 'max.message.bytes': '2000000', 'cleanup.policy': 'compact', 'of.a.later.version': 'x' }
  const configs = resolveTopicConfigs(overrides)
  assert.equal(configs['max.message.bytes'], 2_000_000)
  assert.deepEqual(configs['cleanup.policy'], ['compact'])
  assert.equal(configs['retention.ms'], 604_800_000)
  assert.equal(configs['min.insync.replicas'], 1)
  assert.equal(resolveTopicConfigs(overrides), configs)
})

test('topic-configs: a description lists every config with source and synonyms', () => {
  const described = describeTopicConfigs({ 'retention.ms': '5' })
  assert.deepEqual(described.map(({ name }) => name), Object.keys(TOPIC_CONFIGS))
  const retention = described.find(({ name }) => name === 'retention.ms')!
  assert.deepEqual([retention.value, retention.source, retention.type], ['5', CONFIG_SOURCE.topic, 5])
  assert.deepEqual(retention.synonyms.map(({ name, value }) => [name, value]), [
    ['retention.ms', '5'], ['log.retention.ms', '604800000']
  ])
  assert.equal(described.find(({ name }) => name === 'segment.bytes')!.source, CONFIG_SOURCE.default)
})

test('broker-configs: settings show under Kafka\'s names, everything else by its default', () => {
  const described = describeBrokerConfigs({ 'num.partitions': '12', 'no.such': 'x' })
  assert.deepEqual(described.map(({ name }) => name), [...BROKER_CONFIGS.keys()])
  const byName = new Map(described.map((config) => [config.name, config]))
  assert.deepEqual(
    [byName.get('num.partitions')?.value, byName.get('num.partitions')?.source], ['12', CONFIG_SOURCE.brokerStatic]
  )
  assert.equal(byName.get('auto.create.topics.enable')?.value, 'true')
  assert.equal(byName.get('log.retention.ms')?.value, '604800000')
})
