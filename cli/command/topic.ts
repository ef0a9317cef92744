/** `zonewise topic create|list|describe|delete`. */
import kafkajs, { type Admin } from 'kafkajs'
import { topicConfigFault } from '#shared/config/topic-configs.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type Arguments, wholeFlag } from './arguments.ts'
import { EXIT, type Terminal } from './command.ts'
import { connected, newKafkaClient } from './kafka-client.ts'
import { textTable } from './text-table.ts'

const INT32_MAX = 2 ** 31 - 1
const SERVER_DEFAULT = -1

export async function topicCreate(args: Arguments, terminal: Terminal): Promise<number> {
  const topic = args.words[0]!
  const numPartitions = wholeFlag(args, 'partitions', { min: 1, max: INT32_MAX }) ?? SERVER_DEFAULT
  const replicationFactor = wholeFlag(args, 'replication-factor', { min: 1, max: 32_767 }) ?? SERVER_DEFAULT
  const configEntries = (args.lists.get('config') ?? []).map((text) => {
    const equals = text.indexOf('=')
    if (equals < 1) throw new ZonewiseError('ARGUMENT_INVALID', 'a config is not KEY=VALUE', { config: `"${text}"` })
    return { name: text.slice(0, equals), value: text.slice(equals + 1) }
  })
  const topics = [{ topic, numPartitions, replicationFactor, configEntries }]
  const made = await withAdmin(args, terminal, (admin) => admin.createTopics({ topics, waitForLeaders: true }))
    .catch((error: unknown) => { throw withConfigFault(error, configEntries) })
  if (!made) throw new ZonewiseError('TOPIC_EXISTS', 'there is such a topic already', { topic })
  terminal.stdout.write(`created ${topic}\n`)
  return EXIT.ok
}

/** The server says which configuration it refuses, and kafkajs keeps that to itself. */
function withConfigFault(
  error: unknown, entries: readonly { readonly name: string; readonly value: string }[]
): unknown {
  if (!(error instanceof ZonewiseError) || error.context['type'] !== 'INVALID_CONFIG') return error
  const fault = entries.map(({ name, value }) => topicConfigFault(name, value)).find((one) => one !== null)
  return new ZonewiseError(error.code, error.message, { ...error.context, hint: fault }, error)
}

export async function topicList(args: Arguments, terminal: Terminal): Promise<number> {
  const topics = await withAdmin(args, terminal, (admin) => admin.listTopics())
  terminal.stdout.write(topics.sort().map((topic) => `${topic}\n`).join(''))
  return EXIT.ok
}

export async function topicDescribe(args: Arguments, terminal: Terminal): Promise<number> {
  const topic = args.words[0]!
  const text = await withAdmin(args, terminal, async (admin) => {
    await requireTopic(admin, topic)
    const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }]
    const [metadata, offsets, configs] = await Promise.all([
      admin.fetchTopicMetadata({ topics: [topic] }), admin.fetchTopicOffsets(topic),
      admin.describeConfigs({ includeSynonyms: false, resources })
    ])
    const partitions = metadata.topics[0]!.partitions.toSorted((a, b) => a.partitionId - b.partitionId)
    const rows = partitions.map(({ partitionId, leader }) => {
      const found = offsets.find(({ partition }) => partition === partitionId)
      return [String(partitionId), String(leader), found?.low ?? '?', found?.high ?? '?']
    })
    const overrides = (configs.resources[0]?.configEntries ?? []).filter(({ isDefault }) => !isDefault)
      .map(({ configName, configValue }) => `  ${configName}=${configValue}\n`)
    return `${topic}: ${partitions.length} partition${partitions.length === 1 ? '' : 's'}\n` +
      `${textTable([['partition', 'gateway', 'start', 'end'], ...rows])}\n` +
      (overrides.length === 0 ? '' : `configuration:\n${overrides.join('')}`)
  })
  terminal.stdout.write(text)
  return EXIT.ok
}

export async function topicDelete(args: Arguments, terminal: Terminal): Promise<number> {
  const topic = args.words[0]!
  await withAdmin(args, terminal, async (admin) => {
    await requireTopic(admin, topic)
    await admin.deleteTopics({ topics: [topic] })
  })
  terminal.stdout.write(`deleted ${topic}\n`)
  return EXIT.ok
}

function withAdmin<T>(args: Arguments, terminal: Terminal, work: (admin: Admin) => Promise<T>): Promise<T> {
  return connected(newKafkaClient(args, terminal).admin(), work)
}

/** Asked by name, a gateway makes sure before it says that there is none. @throws ZonewiseError TOPIC_MISSING */
export async function requireTopic(admin: Admin, topic: string): Promise<void> {
  try {
    await admin.fetchTopicMetadata({ topics: [topic] })
  } catch (error) {
    if (!(error instanceof Error && 'type' in error && error.type === 'UNKNOWN_TOPIC_OR_PARTITION')) throw error
    throw new ZonewiseError('TOPIC_MISSING', 'there is no such topic', { topic }, error)
  }
}
