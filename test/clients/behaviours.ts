/**
 * What clients rely on besides rows that come out as they went in: every codec between every two clients, look-ups by
 * time, groups whose members come and go, topics made again and partitions added under clients at work.
 */
import { Consumer, MessagesStreamFallbackModes, MessagesStreamModes, Producer } from '@platformatic/kafka'
import kafkajs from 'kafkajs'
import { consumeWith, type Reader, run } from './clients.ts'

export type Check = (name: string, ok: boolean, detail?: string) => void

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
/** kafkajs has no codec but gzip, Debian's python3-kafka neither snappy nor zstd. */
const READS: Readonly<Record<(typeof CODECS)[number], readonly Reader[]>> = {
  none: ['kcat', 'kafkajs', 'platformatic', 'python3-kafka'],
  gzip: ['kcat', 'kafkajs', 'platformatic', 'python3-kafka'],
  snappy: ['kcat', 'platformatic'], lz4: ['kcat', 'platformatic'], zstd: ['platformatic', 'kcat']
}
const BASE_MS = 1_600_000_000_000
const WAIT_MS = 30_000
const RECORDS = 500

type Clients = { readonly kafka: kafkajs.Kafka; readonly admin: kafkajs.Admin }

/** `first` is where clients write, `other` a gateway of another zone, where they read. */
export async function checkBehaviours(first: string, other: string, check: Check): Promise<void> {
  const kafka = new kafkajs.Kafka({ clientId: 'behaviours', brokers: [first], logLevel: kafkajs.logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const clients = { kafka, admin }
  try {
    await checkCodecs(first, other, clients, check)
    await checkTimes(other, clients, check)
    await checkGroups(first, other, clients, check)
    await checkTopicMadeAgain(other, clients, check)
  } finally {
    await admin.disconnect()
  }
}

function lines(count: number): string {
  return Array.from({ length: count }, (_, i) => `key-${i}\tvalue ${i} ${'x'.repeat(i % 50)}\n`).join('')
}

async function createTopic(admin: kafkajs.Admin, topic: string, numPartitions: number): Promise<void> {
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions }] })
}

async function checkCodecs(first: string, other: string, { admin }: Clients, check: Check): Promise<void> {
  for (const codec of CODECS) {
    for (const writer of ['kcat', 'platformatic'] as const) {
      const topic = `codec-${codec}-${writer}`
      await createTopic(admin, topic, 2)
      if (writer === 'kcat') {
        const flags = ['-z', codec, '-K', '\t', '-X', 'linger.ms=50', '-X', 'enable.idempotence=true']
        await run('kcat', ['-b', first, '-P', '-t', topic, ...flags], lines(RECORDS))
      } else await produceWithPlatformatic(first, topic, codec)
      for (const reader of READS[codec]) {
        const rows = await consumeWith(reader, other, topic, RECORDS)
        const keys = new Set(rows.map(({ key }) => key))
        const whole = rows.length === RECORDS && keys.size === RECORDS
        check(`${codec}: ${reader} reads what ${writer} packed`, whole, `${rows.length} records`)
      }
    }
  }
}

async function produceWithPlatformatic(
  bootstrap: string, topic: string, compression: (typeof CODECS)[number]
): Promise<void> {
  const producer = new Producer(
    { clientId: 'behaviours', bootstrapBrokers: [bootstrap], compression, idempotent: true, acks: -1 }
  )
  const messages = lines(RECORDS).trimEnd().split('\n').map((line) => {
    const [key = '', value = ''] = line.split('\t')
    return { topic, key: Buffer.from(key), value: Buffer.from(value) }
  })
  await producer.send({ messages })
  await producer.close()
}

/** Ten records a second apart, in one batch: a look-up must find the record, not its batch. */
async function checkTimes(other: string, { kafka, admin }: Clients, check: Check): Promise<void> {
  const topic = 'times'
  await createTopic(admin, topic, 1)
  const producer = kafka.producer()
  await producer.connect()
  const messages = Array.from({ length: 10 }, (_, i) => ({ value: `${i}`, timestamp: String(BASE_MS + i * 1_000) }))
  await producer.send({ topic, compression: kafkajs.CompressionTypes.GZIP, messages })
  await producer.disconnect()
  const found: Record<string, string> = {}
  found['kafkajs'] = (await admin.fetchTopicOffsetsByTimestamp(topic, BASE_MS + 4_500))[0]?.offset ?? ''
  const queried = await run('kcat', ['-b', other, '-Q', '-t', `${topic}:0:${BASE_MS + 4_500}`])
  found['kcat'] = /offset (\d+)/.exec(queried)?.[1] ?? queried
  const consumer = new Consumer({ clientId: 'behaviours', groupId: 'times', bootstrapBrokers: [other] })
  const listed = await consumer.listOffsets({ topics: [topic], timestamp: BigInt(BASE_MS + 4_500) })
  found['platformatic'] = String(listed.get(topic)?.[0])
  await consumer.close(true)
  for (const [client, offset] of Object.entries(found))
    check(`${client} finds the first record of a time`, offset === '5', offset)
  const none = await admin.fetchTopicOffsetsByTimestamp(topic, BASE_MS + 60_000)
  check('behind the newest record a time has the end of the log', none[0]?.offset === '10', none[0]?.offset)
}

type Member = { owned: number; close(): Promise<void> }

/** Members come one after the other, one goes: each time all partitions have an owner, and no record is missing. */
async function checkGroups(first: string, other: string, { kafka, admin }: Clients, check: Check): Promise<void> {
  const topic = 'grouped'
  const partitions = 6
  await createTopic(admin, topic, partitions)
  const seen = new Set<string>()
  const members: Member[] = []
  const join = async (): Promise<void> => {
    const consumer = kafka.consumer(
      { groupId: 'members', heartbeatInterval: 300, sessionTimeout: 10_000, maxWaitTimeInMs: 100 }
    )
    const member = { owned: 0, close: () => consumer.disconnect() }
    members.push(member)
    consumer.on('consumer.group_join', ({ payload }) => { member.owned = payload.memberAssignment[topic]?.length ?? 0 })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      eachMessage: ({ partition, message }) => {
        seen.add(`${partition} ${message.offset}`)
        return Promise.resolve()
      }
    })
  }
  const share = (owned: number): Promise<boolean> => until(() => members.every((member) => member.owned === owned))
  for (const size of [1, 2, 3]) {
    await join()
    check(
      `a group of ${size} kafkajs members shares ${partitions} partitions`, await share(partitions / size),
      JSON.stringify(members)
    )
  }
  await run('kcat', ['-b', first, '-P', '-t', topic, '-K', '\t'], lines(300))
  check('the group reads every record', await until(() => seen.size === 300), `${seen.size} of 300`)
  const described = await admin.describeGroups(['members'])
  check(
    'the group is described as it is',
    described.groups[0]?.state === 'Stable' && described.groups[0].members.length === 3
  )
  await members.pop()?.close()
  check('what a member leaves is taken over', await share(partitions / 2), JSON.stringify(members))
  for (const member of members) await member.close()
  const committed = await admin.fetchOffsets({ groupId: 'members', topics: [topic] })
  const sum = committed.flatMap((each) => each.partitions).reduce((total, { offset }) => total + Number(offset), 0)
  check('every offset is committed when the group has gone', sum === 300, `${sum} of 300`)
  const goneOn = await consumeGroupWithPlatformatic(other, topic, first)
  check('@platformatic/kafka goes on where the group stopped', goneOn === 10, `${goneOn} of 10`)
  await admin.deleteGroups(['members'])
}

/** Takes up the group's offsets and reads ten more records, which kcat writes. */
async function consumeGroupWithPlatformatic(bootstrap: string, topic: string, first: string): Promise<number> {
  const consumer = new Consumer(
    { clientId: 'behaviours', groupId: 'members', bootstrapBrokers: [bootstrap], maxWaitTime: 100 }
  )
  const stream = await consumer.consume({
    topics: [topic], mode: MessagesStreamModes.COMMITTED, fallbackMode: MessagesStreamFallbackModes.FAIL,
    autocommit: 100
  })
  let count = 0
  stream.on('data', () => { count += 1 })
  await run('kcat', ['-b', first, '-P', '-t', topic, '-K', '\t'], lines(10))
  await until(() => count >= 10)
  await consumer.close(true)
  return count
}

/** A producer that counts and a consumer at work see a topic deleted, made again with more partitions, and grown. */
async function checkTopicMadeAgain(other: string, { kafka, admin }: Clients, check: Check): Promise<void> {
  const topic = 'again'
  await createTopic(admin, topic, 1)
  const producer = kafka.producer(
    { idempotent: true, maxInFlightRequests: 1, metadataMaxAge: 200, allowAutoTopicCreation: false }
  )
  await producer.connect()
  for (let i = 0; i < 5; i++) await producer.send({ topic, messages: [{ value: `old ${i}` }] })
  await admin.deleteTopics({ topics: [topic] })
  await createTopic(admin, topic, 2)
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
  for (let i = 0; i < 6; i++) {
    // kafkajs leaves out, without an error, what is for a partition that its metadata does not have yet.
    const send = (): Promise<unknown[]> => producer.send({ topic, messages: [{ value: `new ${i}`, partition: i % 3 }] })
    if (!await until(async () => (await send()).length > 0)) throw new Error(`kafkajs never sends new ${i}`)
  }
  await producer.disconnect()
  const rows = await consumeWith('kcat', other, topic, 6)
  const values = rows.map(({ value }) => Buffer.from(value, 'hex').toString()).sort()
  check(
    'a topic made again is another topic, for producers at work too',
    values.join() === 'new 0,new 1,new 2,new 3,new 4,new 5', values.join()
  )
}

async function until(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const endMs = Date.now() + WAIT_MS; Date.now() < endMs;) {
    if (await condition()) return true
    await new Promise((resolve) => { setTimeout(resolve, 50) })
  }
  return await condition()
}
