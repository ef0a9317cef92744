/** `zonewise produce TOPIC`: each line of the standard input becomes a record, byte by byte as it came. */
import type { Message, Producer } from 'kafkajs'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Arguments } from './arguments.ts'
import { EXIT, type Terminal } from './command.ts'
import { connected, newKafkaClient } from './kafka-client.ts'
import { Lines } from './lines.ts'
import { newProgress } from './progress.ts'

const BATCH_RECORDS_MAX = 1_000 // kafkajs sorts a batch by partition in a time that grows with the square of it
const BATCH_BYTES_MAX = 900 * 1_024 // with what frames the records less than max.message.bytes of a topic
const LINE_BYTES_MAX = 64 * 1_024 * 1_024
const ACKS = new Map([['all', -1], ['-1', -1], ['1', 1], ['0', 0]])

export async function produce(args: Arguments, terminal: Terminal): Promise<number> {
  const topic = args.words[0]!
  const acks = ACKS.get(args.flags.get('acks') ?? 'all')
  const range = [...ACKS.keys()].join(', ')
  if (acks === undefined) throw new ZonewiseError('ARGUMENT_INVALID', '--acks is out of range', { range })
  const separator = args.flags.get('key-separator')
  if (separator === '') throw new ZonewiseError('ARGUMENT_INVALID', '--key-separator is empty')
  const toMessage = separator === undefined ? unkeyed : keyed(Buffer.from(separator))
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
  return connected(newKafkaClient(args, terminal).producer({ allowAutoTopicCreation: true }), async (producer) => {
    const typed = terminal.stdin.isTTY === true
    if (typed && terminal.stderr.isTTY === true) terminal.stderr.write('Each line becomes a record; Ctrl-D ends.\n')
    const progress = newProgress(terminal, 'records sent', typed)
    try {
      return await sendLines(new Batches({ producer, topic, acks, sent: progress.add }), toMessage, terminal)
    } finally {
      progress.end()
    }
  })
}

type ToMessage = (line: Buffer, number: number) => Message

/** Sends the lines that are there while the next are read. Whatever ends it, the lines before that were sent. */
async function sendLines(batches: Batches, toMessage: ToMessage, terminal: Terminal): Promise<number> {
  const lines = new Lines()
  let lineNumber = 0
  let interrupted = false
  const offSignal = terminal.onSignal(() => {
    if (interrupted) terminal.exit(EXIT.interrupted)
    interrupted = true
    terminal.stdin.destroy()
  })
  try {
    for await (const bytes of terminal.stdin) {
      for (const line of lines.push(bytes as Buffer)) await batches.add(toMessage(line, ++lineNumber))
      if (lines.restBytes > LINE_BYTES_MAX) throw tooLong(lineNumber + 1)
      await batches.send() // a line typed at a terminal goes at once
    }
    const last = lines.end()
    if (last !== null) await batches.add(toMessage(last, ++lineNumber))
  } catch (error) {
    const ours = interrupted || error instanceof ZonewiseError // else sending itself has failed
    if (ours) await batches.end()
    if (!interrupted) throw error
  } finally {
    offSignal()
  }
  await batches.end()
  return interrupted ? EXIT.interrupted : EXIT.ok
}

function tooLong(line: number): ZonewiseError {
  return new ZonewiseError('LINE_TOO_LONG', 'a line is too long', { line, bytesMax: LINE_BYTES_MAX })
}

function unkeyed(line: Buffer): Message {
  return { value: line }
}

/** @throws ZonewiseError LINE_WITHOUT_KEY */
function keyed(separator: Buffer): ToMessage {
  return (line, number) => {
    const at = line.indexOf(separator)
    if (at < 0) throw new ZonewiseError('LINE_WITHOUT_KEY', 'a line has no key separator', { line: number })
    return { key: line.subarray(0, at), value: line.subarray(at + separator.length) }
  }
}

/** Gathers messages into batches; one is sent at a time, which keeps their order, while the next is gathered. */
class Batches {
  readonly #producer: Producer
  readonly #topic: string
  readonly #acks: number
  readonly #sent: (count: number) => void
  #messages: Message[] = []
  #bytes = 0
  #inFlight: Promise<void> = Promise.resolve()

  constructor(parts: {
    readonly producer: Producer; readonly topic: string; readonly acks: number; readonly sent: (count: number) => void
  }) {
    this.#producer = parts.producer
    this.#topic = parts.topic
    this.#acks = parts.acks
    this.#sent = parts.sent
  }

  async add(message: Message): Promise<void> {
    const bytes = (message.key?.length ?? 0) + (message.value?.length ?? 0)
    if (this.#messages.length >= BATCH_RECORDS_MAX || this.#bytes + bytes > BATCH_BYTES_MAX) await this.send()
    this.#messages.push(message)
    this.#bytes += bytes
  }

  /** Begins to send what was gathered, once the batch before it is there. */
  async send(): Promise<void> {
    const messages = this.#messages
    this.#messages = []
    this.#bytes = 0
    await this.#inFlight
    if (messages.length === 0) return
    const request = { topic: this.#topic, acks: this.#acks, messages }
    this.#inFlight = this.#producer.send(request).then(() => { this.#sent(messages.length) })
    this.#inFlight.catch(() => {}) // awaited before the next batch, and at the end
  }

  /** Sends everything and waits for it. */
  async end(): Promise<void> {
    await this.send()
    await this.#inFlight
  }
}
