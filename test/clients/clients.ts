/** The clients under test, each as one call: all rows of a topic, or rows into a topic. Keys and values in hex. */
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Consumer as PlatformaticConsumer, MessagesStreamModes } from '@platformatic/kafka'
import kafkajs from 'kafkajs'

export type Row = { readonly partition: number; readonly offset: number; readonly key: string; readonly value: string }

export const READERS = ['kcat', 'kafkajs', 'platformatic', 'python3-kafka'] as const
export type Reader = (typeof READERS)[number]

const here = dirname(fileURLToPath(import.meta.url))
let groups = 0

/** Runs a program to its end and returns its standard output. */
export function run(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => { out.push(chunk) })
    child.stderr.on('data', (chunk: Buffer) => { err.push(chunk) })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString('latin1'))
      else reject(new Error(`${program} ended with ${code}: ${Buffer.concat(err).toString().slice(0, 2_000)}`))
    })
    child.stdin.on('error', () => {}) // a program that ends early is seen by its exit code
    child.stdin.end(input)
  })
}

export function consumeWith(reader: Reader, bootstrap: string, topic: string, count: number): Promise<Row[]> {
  if (reader === 'kcat') return consumeWithKcat(bootstrap, topic)
  if (reader === 'kafkajs') return consumeWithKafkajs(bootstrap, topic, count)
  if (reader === 'platformatic') return consumeWithPlatformatic(bootstrap, topic, count)
  return run('/usr/bin/python3', [join(here, 'consume.py'), bootstrap, topic, String(count)]).then(parseHex)
}

function parseHex(out: string): Row[] {
  return out.split('\n').filter((line) => line !== '').map((line) => {
    const [partition, offset, key, value] = line.split(' ')
    return { partition: Number(partition), offset: Number(offset), key: key ?? '', value: value ?? '' }
  })
}

/** kcat says lengths, so that any bytes can be told apart. */
async function consumeWithKcat(bootstrap: string, topic: string): Promise<Row[]> {
  const out =
    await run('kcat', ['-b', bootstrap, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%p %o %K %S\n%k%s'])
  const rows: Row[] = []
  const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex')
  for (let at = 0; at < out.length;) {
    const end = out.indexOf('\n', at)
    const [partition = 0, offset = 0, keyBytes = 0, valueBytes = 0] = out.slice(at, end).split(' ').map(Number)
    const key = end + 1
    const value = key + Math.max(0, keyBytes)
    at = value + Math.max(0, valueBytes)
    rows.push({ partition, offset, key: hex(out.slice(key, value)), value: hex(out.slice(value, at)) })
  }
  return rows
}

function newKafkajs(bootstrap: string): kafkajs.Kafka {
  return new kafkajs.Kafka({ clientId: 'client-tests', brokers: [bootstrap], logLevel: kafkajs.logLevel.ERROR })
}

async function consumeWithKafkajs(bootstrap: string, topic: string, count: number): Promise<Row[]> {
  const consumer =
    newKafkajs(bootstrap).consumer({ groupId: `kafkajs-${process.pid}-${groups++}`, maxWaitTimeInMs: 100 })
  const rows: Row[] = []
  const done = Promise.withResolvers<void>()
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    eachBatch: ({ batch: { partition, messages } }) => {
      for (const { key, value, offset } of messages)
        rows.push(
          { partition, offset: Number(offset), key: key?.toString('hex') ?? '', value: value?.toString('hex') ?? '' }
        )
      if (rows.length >= count) done.resolve()
      return Promise.resolve()
    }
  })
  await within(done.promise, 60_000)
  await consumer.disconnect()
  return rows
}

async function consumeWithPlatformatic(bootstrap: string, topic: string, count: number): Promise<Row[]> {
  const consumer = new PlatformaticConsumer(
    { groupId: `platformatic-${process.pid}-${groups++}`, clientId: 'client-tests', bootstrapBrokers: [bootstrap] }
  )
  const stream =
    await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST, autocommit: false, maxWaitTime: 100 })
  const rows: Row[] = []
  const all = (async () => {
    for await (const { partition, offset, key, value } of stream) {
      rows.push({ partition, offset: Number(offset), key: key.toString('hex'), value: value.toString('hex') })
      if (rows.length >= count) break
    }
  })()
  await within(all, 60_000)
  await consumer.close(true)
  return rows
}

/** Says nothing if the time is over: what is missing is seen by the count. */
async function within(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([work, new Promise<void>((resolve) => { timer = setTimeout(resolve, ms) })])
  clearTimeout(timer)
}

export async function produceWithKafkajs(
  bootstrap: string, topic: string, rows: readonly { key: string; value: string }[]
): Promise<void> {
  const producer = newKafkajs(bootstrap).producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (let at = 0; at < rows.length; at += 5_000)
    await producer.send({ topic, acks: -1, messages: rows.slice(at, at + 5_000).map(
      ({ key, value }) => ({ key: Buffer.from(key, 'hex'), value: Buffer.from(value, 'hex') })
    ) })
  await producer.disconnect()
}
