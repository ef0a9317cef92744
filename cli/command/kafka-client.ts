/** The Kafka client of the command line: kafkajs, quiet, with what went wrong as one sentence. */
import { connect } from 'node:net'
import kafkajs, { type ISocketFactory, type Kafka, type KafkaConfig } from 'kafkajs'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type Arguments, splitHostPort } from './arguments.ts'
import type { Terminal } from './command.ts'

const BOOTSTRAP_DEFAULT = '127.0.0.1:19092'
const RETRY = { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 }
const DISCONNECT_MS = 2_000 // a server that is gone is not waited for
const KEEP_ALIVE_MS = 60_000

/** @throws ZonewiseError ARGUMENT_INVALID */
export function newKafkaClient(args: Arguments, terminal: Terminal): Kafka {
  const bootstrap = args.flags.get('bootstrap-server') ?? terminal.env['ZONEWISE_BOOTSTRAP_SERVER'] ?? BOOTSTRAP_DEFAULT
  const brokers = bootstrap.split(',')
  for (const broker of brokers) {
    if (splitHostPort(broker) === null) {
      throw new ZonewiseError('ARGUMENT_INVALID', 'a bootstrap server is not HOST:PORT', { server: `"${broker}"` })
    }
  }
  return newKafka({
    brokers, clientId: args.flags.get('client-id') ?? 'zonewise-cli', retry: RETRY, connectionTimeout: 5_000,
    requestTimeout: 30_000
  })
}

/** A kafkajs that says nothing by itself, and lets Node say nothing of what is wrong in it. */
export function newKafka(config: Omit<KafkaConfig, 'logLevel' | 'socketFactory' | 'ssl'>): Kafka {
  quietNegativeTimeouts()
  return new kafkajs.Kafka({ ...config, logLevel: kafkajs.logLevel.NOTHING, socketFactory: newKafkaSocket })
}

/**
 * kafkajs 2.2.4 lets go of its socket (`unref`) whenever it disconnects, also again and again of one that is gone. Node
 * takes that for a socket that is still to be connected: it adds a listener each time, and warns of the eleventh.
 */
export const newKafkaSocket: ISocketFactory = ({ host, port, onConnect }) => {
  const socket = connect({ host, port, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, onConnect)
  const { unref } = socket
  socket.unref = () => (socket.destroyed ? socket : unref.call(socket))
  return socket
}

let quieted = false

/**
 * kafkajs 2.2.4 sets timers for moments that are over (`throttledUntil` of its request queue is -1 until somebody
 * throttles), and Node warns of the negative time. This one warning is kept from Node's printer, all others go there.
 */
function quietNegativeTimeouts(): void {
  if (quieted) return
  quieted = true
  const printers = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name !== 'TimeoutNegativeWarning') for (const print of printers) print(warning)
  })
}

/**
 * Runs `work` with something that connects, and disconnects it whatever happens.
 * @throws ZonewiseError CLIENT_FAILED, REQUEST_REFUSED instead of the library's own errors, with their text.
 */
export async function connected<C extends { connect(): Promise<void>; disconnect(): Promise<void> }, T>(
  client: C, work: (client: C) => Promise<T>
): Promise<T> {
  try {
    await client.connect()
    return await work(client)
  } catch (error) {
    throw kafkaFailure(error)
  } finally {
    const enough = Promise.withResolvers<void>()
    const timeout = setTimeout(enough.resolve, DISCONNECT_MS)
    await Promise.race([client.disconnect().catch(() => {}), enough.promise])
    clearTimeout(timeout)
  }
}

/** What to do about a refusal; kafkajs hands out Kafka's name of the error, not the sentence that the server sent. */
const HINTS = new Map([
  ['INVALID_TOPIC_EXCEPTION', 'a topic has 1 to 249 of the characters a-z A-Z 0-9 . _ -'],
  ['INVALID_PARTITIONS', 'the server bounds the partitions of a topic: --topic-partitions-max'],
  ['INVALID_REPLICATION_FACTOR', 'a replication factor is 1, 2 or 3'],
  ['POLICY_VIOLATION', 'the server bounds the partitions of all topics: --cluster-partitions-max'],
  ['MESSAGE_TOO_LARGE', 'the topic bounds a batch: max.message.bytes'],
  ['INCONSISTENT_GROUP_PROTOCOL', 'the group has members of another kind: take another group']
])

/** An error of kafkajs as one of ours; every other error as it is. */
export function kafkaFailure(error: unknown): unknown {
  if (!(error instanceof Error) || !error.name.startsWith('KafkaJS')) return error
  const nested = 'errors' in error && Array.isArray(error.errors) ? (error.errors as readonly unknown[])[0] : error
  const outer = nested instanceof Error ? nested : error
  const cause = 'cause' in outer && outer.cause instanceof Error ? outer.cause : outer
  const type = 'type' in cause ? String(cause.type) : undefined
  const reason = cause.message.replace(/\.$/, '')
  if ('retriable' in cause && cause.retriable === false) {
    const hint = HINTS.get(type ?? '')
    return new ZonewiseError('REQUEST_REFUSED', 'the cluster refuses this', { reason, type, hint }, error)
  }
  return new ZonewiseError('CLIENT_FAILED', 'the cluster did not do it', { reason, type }, error)
}
