/** `zonewise consume TOPIC`: the value of each record becomes a line, byte by byte as it was sent. */
import { randomUUID } from 'node:crypto'
import kafkajs, { type Admin, type Consumer, type Kafka, type PartitionAssigner } from 'kafkajs'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type Arguments, wholeFlag } from './arguments.ts'
import { EXIT, type Terminal } from './command.ts'
import { connected, newKafkaClient } from './kafka-client.ts'
import { type Plan, type Reach, Reading } from './reading.ts'
import { requireTopic } from './topic.ts'

const INT32_MAX = 2 ** 31 - 1
const FETCH_WAIT_MS = 500
const OWN_SESSION_MS = 10_000 // of a group that nobody shares: how long it waits for the life before a lost connection

export async function consume(args: Arguments, terminal: Terminal): Promise<number> {
  const plan = readPlan(args)
  const kafka = newKafkaClient(args, terminal)
  return connected(kafka.admin(), async (admin) => {
    const reach = await reachOf(admin, plan)
    if (reach.ends?.size === 0) return EXIT.ok
    try {
      return await connected(newConsumer(kafka, plan), (consumer) => new Reading(consumer, plan, reach, terminal).run())
    } finally {
      if (plan.ownGroup) await admin.deleteGroups([plan.groupId]).catch(() => {})
    }
  })
}

/** @throws ZonewiseError ARGUMENT_INVALID */
function readPlan(args: Arguments): Plan {
  const group = args.flags.get('group')
  if (group === '') throw new ZonewiseError('ARGUMENT_INVALID', '--group is empty')
  const separator = args.flags.get('key-separator')
  return {
    topic: args.words[0]!, fromBeginning: args.flags.has('from-beginning'),
    messagesMax: wholeFlag(args, 'max-messages', { min: 1, max: Number.MAX_SAFE_INTEGER }) ?? Infinity,
    groupId: group ?? `zonewise-cli-${randomUUID()}`, ownGroup: group === undefined,
    partition: wholeFlag(args, 'partition', { min: 0, max: INT32_MAX }), exitAtEnd: args.flags.has('exit-at-end'),
    keySeparator: separator === undefined ? null : Buffer.from(separator)
  }
}

function newConsumer(kafka: Kafka, { topic, groupId, ownGroup, partition }: Plan): Consumer {
  return kafka.consumer({
    groupId, maxWaitTimeInMs: FETCH_WAIT_MS, allowAutoTopicCreation: false,
    ...(ownGroup ? { sessionTimeout: OWN_SESSION_MS, rebalanceTimeout: OWN_SESSION_MS } : {}),
    ...(partition === null ? {} : { partitionAssigners: [onlyPartition(topic, partition)] })
  })
}

/** @throws ZonewiseError TOPIC_MISSING */
async function reachOf(admin: Admin, plan: Plan): Promise<Reach> {
  const { topic, groupId } = plan
  await requireTopic(admin, topic)
  const offsets = (await admin.fetchTopicOffsets(topic))
    .filter(({ partition }) => plan.partition === null || partition === plan.partition)
  if (offsets.length === 0) {
    throw new ZonewiseError('TOPIC_MISSING', 'there is no such partition', { topic, partition: plan.partition })
  }
  const fetched = plan.ownGroup ? [] : await admin.fetchOffsets({ groupId, topics: [topic] })
  const committed = fetched[0]?.partitions ?? []
  const positions = new Map<number, number>()
  const ends = new Map<number, number>()
  for (const { partition, low, high } of offsets) {
    const commit = Number(committed.find((one) => one.partition === partition)?.offset ?? -1)
    const start = commit >= 0 ? commit : Number(plan.fromBeginning ? low : high)
    positions.set(partition, start)
    if (start < Number(high)) ends.set(partition, Number(high))
  }
  return { positions, ends: plan.exitAtEnd ? ends : null }
}

/** kafkajs has no way to assign by hand: the group's only member gets this one partition. */
function onlyPartition(topic: string, partition: number): PartitionAssigner {
  const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol
  const name = 'zonewise-one-partition'
  const userData = Buffer.alloc(0)
  return () => ({
    name, version: 1,
    assign: async ({ members }) => members.map(({ memberId }, i) => {
      const assignment = i === 0 ? { [topic]: [partition] } : {}
      return { memberId, memberAssignment: MemberAssignment.encode({ version: 1, assignment, userData }) }
    }),
    protocol: ({ topics }) => ({ name, metadata: MemberMetadata.encode({ version: 1, topics, userData }) })
  })
}
