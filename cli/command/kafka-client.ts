/** The Kafka client of the command line: kafkajs, quiet, with what went wrong as one sentence. */
import kafkajs, { type Kafka } from 'kafkajs'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type Arguments, splitHostPort } from './arguments.ts'
import type { Terminal } from './command.ts'

const BOOTSTRAP_DEFAULT = '127.0.0.1:19092'
const RETRY = { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 }

/** @throws ZonewiseError SETTING_INVALID */
export function newKafkaClient(args: Arguments, terminal: Terminal): Kafka {
  const bootstrap = args.flags.get('bootstrap-server') ?? terminal.env['ZONEWISE_BOOTSTRAP_SERVER'] ?? BOOTSTRAP_DEFAULT
  const brokers = bootstrap.split(',')
  for (const broker of brokers) {
    if (splitHostPort(broker) === null) {
      throw new ZonewiseError('SETTING_INVALID', 'a bootstrap server is not HOST:PORT', { server: `"${broker}"` })
    }
  }
  quietNegativeTimeouts()
  return new kafkajs.Kafka({
    brokers, clientId: args.flags.get('client-id') ?? 'zonewise-cli', retry: RETRY, logLevel: kafkajs.logLevel.NOTHING,
    connectionTimeout: 5_000, requestTimeout: 30_000
  })
}

let quieted = false

/** kafkajs 2.2.4 computes timeouts below zero, and Node warns of each: nothing that a user could act on. */
export function quietNegativeTimeouts(): void {
  if (quieted) return
  quieted = true
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name !== 'TimeoutNegativeWarning') process.stderr.write(`${warning.name}: ${warning.message}\n`)
  })
}

/**
 * Runs `work` with something that connects, and disconnects it whatever happens.
 * @throws ZonewiseError RPC_UNAVAILABLE instead of the library's own errors, with their text.
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
    await client.disconnect().catch(() => {})
  }
}

export function kafkaFailure(error: unknown): unknown {
  if (!(error instanceof Error) || !error.name.startsWith('KafkaJS')) return error
  const cause = 'cause' in error && error.cause instanceof Error ? error.cause : error
  const nested = 'errors' in cause && Array.isArray(cause.errors) ? cause.errors as readonly Error[] : []
  const reason = nested.length > 0 ? nested.map((one) => one.message).join('; ') : cause.message
  const facts = { reason: reason.replace(/\.$/, ''), type: 'type' in cause ? String(cause.type) : undefined }
  return new ZonewiseError('CLIENT_FAILED', 'the cluster did not do it', facts, error)
}
