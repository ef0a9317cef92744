/** `zonewise produce TOPIC`: each line of the standard input becomes a record, byte by byte as it came. */
import type { Message, Producer } from 'kafkajs'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Arguments } from './arguments.ts'
import { EXIT, type Terminal } from './command.ts'
import { connected, newKafkaClient } from './kafka-client.ts'
import { Lines } from './lines.ts'
import { newProgress } from './progress.ts'

const BATCH_RECORDS_MAX = 5_000
const BATCH_BYTES_MAX = 512 * 1_024
const ACKS = new Map([['all', -1], ['-1', -1], ['1', 1], ['0', 0]])

export async function produce(args: Arguments, terminal: Terminal): Promise<number> {
  const topic = args.words[0]!
  const acks = ACKS.get(args.flags.get('acks') ?? 'all')
  if (acks === undefined) throw new ZonewiseError('SETTING_INVALID', '--acks is out of range', { range: 'all, 1 or 0' })
  const separator = args.flags.get('key-separator')
  if (separator === '') throw new ZonewiseError('SETTING_INVALID', '--key-separator is empty')
  const toMessage = separator === undefined ? unkeyed : keyed(Buffer.from(separator))
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
  return connected(newKafkaClient(args, terminal).producer({ allowAutoTopicCreation: true }), async (producer) => {
    await sendLines(producer, { topic, acks, toMessage, terminal })
    return EXIT.ok
  })
}

type Sending = {
  readonly topic: string
  readonly acks: number
  readonly toMessage: (line: Buffer, number: number) => Message
  readonly terminal: Terminal
}

/** Gathers the lines that are there and sends them while the next are read; one request at a time keeps the order. */
async function sendLines(producer: Producer, { topic, acks, toMessage, terminal }: Sending): Promise<void> {
  const progress = newProgress(terminal, 'records sent')
  const lines = new Lines()
  let batch: Message[] = []
  let batchBytes = 0
  let lineNumber = 0
  let inFlight: Promise<void> = Promise.resolve()

  const flush = async (): Promise<void> => {
    const messages = batch
    batch = []
    batchBytes = 0
    await inFlight
    if (messages.length === 0) return
    inFlight = producer.send({ topic, acks, messages }).then(() => { progress.add(messages.length) })
    inFlight.catch(() => {}) // awaited by the next flush
  }
  const take = async (line: Buffer): Promise<void> => {
    batch.push(toMessage(line, ++lineNumber))
    batchBytes += line.length
    if (batch.length >= BATCH_RECORDS_MAX || batchBytes >= BATCH_BYTES_MAX) await flush()
  }

  for await (const bytes of terminal.stdin) {
    for (const line of lines.push(bytes as Buffer)) await take(line)
    await flush() // a line typed at a terminal goes at once
  }
  const last = lines.end()
  if (last !== null) await take(last)
  await flush()
  await inFlight
  progress.end()
}

function unkeyed(line: Buffer): Message {
  return { value: line }
}

function keyed(separator: Buffer): (line: Buffer, number: number) => Message {
  return (line, number) => {
    const at = line.indexOf(separator)
    if (at < 0) throw new ZonewiseError('LINE_WITHOUT_KEY', 'a line has no key separator', { line: number })
    return { key: line.subarray(0, at), value: line.subarray(at + separator.length) }
  }
}
