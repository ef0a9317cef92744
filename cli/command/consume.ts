/** `zonewise consume TOPIC`: the value of each record becomes a line, byte by byte as it was sent. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import kafkajs, { type Admin, type Consumer, type EachBatchPayload, type KafkaMessage, type PartitionAssigner } from 'kafkajs'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type Arguments, wholeFlag } from './arguments.ts'
import { EXIT, type Terminal } from './command.ts'
import { connected, kafkaFailure, newKafkaClient } from './kafka-client.ts'
import { newProgress } from './progress.ts'
import { requireTopic } from './topic.ts'

const INT32_MAX = 2 ** 31 - 1
const FETCH_WAIT_MS = 500
const NEWLINE = Buffer.from('\n')

type Plan = {
  readonly topic: string
  readonly fromBeginning: boolean
  readonly messagesMax: number
  readonly groupId: string
  readonly ownGroup: boolean // made for this run, removed afterwards, commits nothing
  readonly partition: number | null
  readonly exitAtEnd: boolean
  readonly keySeparator: Buffer | null
}

export async function consume(args: Arguments, terminal: Terminal): Promise<number> {
  const group = args.flags.get('group')
  const separator = args.flags.get('key-separator')
  const plan: Plan = {
    topic: args.words[0]!, fromBeginning: args.flags.has('from-beginning'),
    messagesMax: wholeFlag(args, 'max-messages', { min: 1, max: Number.MAX_SAFE_INTEGER }) ?? Infinity,
    groupId: group ?? `zonewise-cli-${randomUUID()}`, ownGroup: group === undefined,
    partition: wholeFlag(args, 'partition', { min: 0, max: INT32_MAX }), exitAtEnd: args.flags.has('exit-at-end'),
    keySeparator: separator === undefined ? null : Buffer.from(separator)
  }
  const kafka = newKafkaClient(args, terminal)
  return connected(kafka.admin(), async (admin) => {
    const ends = await endsToReach(admin, plan)
    if (ends !== null && ends.size === 0) return EXIT.ok
    const assigners = plan.partition === null ? {} : { partitionAssigners: [onlyPartition(plan.topic, plan.partition)] }
    const consumer = kafka.consumer({
      groupId: plan.groupId, maxWaitTimeInMs: FETCH_WAIT_MS, allowAutoTopicCreation: false, ...assigners
    })
    try {
      await connected(consumer, () => readAll(consumer, plan, ends, terminal))
    } finally {
      if (plan.ownGroup) await admin.deleteGroups([plan.groupId]).catch(() => {})
    }
    return EXIT.ok
  })
}

/** What `--exit-at-end` waits for: the end offset of each partition that has something to read; null: no such flag. */
async function endsToReach(admin: Admin, plan: Plan): Promise<Map<number, number> | null> {
  await requireTopic(admin, plan.topic)
  const offsets = await admin.fetchTopicOffsets(plan.topic)
  if (plan.partition !== null && !offsets.some(({ partition }) => partition === plan.partition)) {
    const { topic, partition } = plan
    throw new ZonewiseError('TOPIC_MISSING', 'there is no such partition', { topic, partition })
  }
  if (!plan.exitAtEnd) return null
  const { groupId } = plan
  const fetched = plan.ownGroup ? [] : await admin.fetchOffsets({ groupId, topics: [plan.topic] })
  const committed = fetched[0]?.partitions ?? []
  const ends = new Map<number, number>()
  for (const { partition, low, high } of offsets) {
    if (plan.partition !== null && partition !== plan.partition) continue
    const commit = Number(committed.find((one) => one.partition === partition)?.offset ?? -1)
    const start = commit >= 0 ? commit : Number(plan.fromBeginning ? low : high)
    if (start < Number(high)) ends.set(partition, Number(high))
  }
  return ends
}

/** Reads until a bound of the plan is reached, a signal comes, or the consumer fails. */
async function readAll(
  consumer: Consumer, plan: Plan, ends: Map<number, number> | null, terminal: Terminal
): Promise<void> {
  const over = Promise.withResolvers<void>()
  const progress = newProgress(terminal, 'records read', true)
  let left = plan.messagesMax
  let isOver = false
  const finish = (): void => { isOver = true; over.resolve() }
  const offSignal = terminal.onSignal(() => {
    if (isOver) terminal.exit(EXIT.interrupted)
    finish()
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) over.reject(kafkaFailure(payload.error))
  })

  const eachBatch = async ({ batch, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<void> => {
    if (isOver || !isRunning() || isStale()) return
    const taken = batch.messages.slice(0, Math.min(left, batch.messages.length))
    await writeRecords(terminal, taken, plan.keySeparator)
    left -= taken.length
    progress.add(taken.length)
    const whole = taken.length === batch.messages.length
    const nextOffset = whole ? Number(batch.lastOffset()) + 1 : Number(taken.at(-1)!.offset) + 1
    const { topic, partition } = batch
    if (!plan.ownGroup) await consumer.commitOffsets([{ topic, partition, offset: String(nextOffset) }])
    const end = ends?.get(partition)
    if (end !== undefined && nextOffset >= end) ends?.delete(partition)
    if (left === 0 || ends?.size === 0) finish()
    else await heartbeat()
  }

  await consumer.subscribe({ topics: [plan.topic], fromBeginning: plan.fromBeginning })
  await consumer.run({ autoCommit: false, eachBatch })
  try {
    await over.promise
  } finally {
    offSignal()
    progress.end()
  }
}

/** One write for the batch; waits until whoever reads our output has room. */
async function writeRecords(
  { stdout }: Terminal, messages: readonly KafkaMessage[], keySeparator: Buffer | null
): Promise<void> {
  const parts: Uint8Array[] = []
  for (const { key, value } of messages) {
    if (keySeparator !== null) parts.push(key ?? Buffer.alloc(0), keySeparator)
    if (value !== null) parts.push(value)
    parts.push(NEWLINE)
  }
  if (parts.length > 0 && !stdout.write(Buffer.concat(parts))) await once(stdout, 'drain')
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
