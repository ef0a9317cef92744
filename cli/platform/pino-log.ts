/** The log of a process: JSON lines by pino, or one line a reader likes on a terminal. */
import { writeSync } from 'node:fs'
import { pino, type DestinationStream, type Logger } from 'pino'
import type { Log, LogFields } from '#shared/log/log.ts'

export type LogOptions = { readonly format: 'text' | 'json'; readonly level: 'error' | 'warn' | 'info' | 'debug' }

const LEVEL_NAMES = new Map([[20, 'debug'], [30, 'info '], [40, 'WARN '], [50, 'ERROR']])

/** Writes to stderr: stdout belongs to what a command answers. */
export function newPinoLog({ format, level }: LogOptions): Log {
  const destination = format === 'json' ? pino.destination({ dest: 2, sync: true }) : textDestination()
  const { err } = pino.stdSerializers
  return wrap(pino({ level, base: null, serializers: { error: err, cause: err } }, destination), destination)
}

function wrap(logger: Logger, destination: DestinationStream): Log {
  return {
    error: (message, fields) => { logger.error(fields ?? {}, message) },
    warn: (message, fields) => { logger.warn(fields ?? {}, message) },
    info: (message, fields) => { logger.info(fields ?? {}, message) },
    debug: (message, fields) => { logger.debug(fields ?? {}, message) },
    child: (fields) => wrap(logger.child(fields), destination),
    flush: () => { if ('flushSync' in destination) (destination as { flushSync(): void }).flushSync() }
  }
}

function textDestination(): DestinationStream {
  return {
    write: (line) => {
      try {
        writeSync(2, textLine(JSON.parse(line) as LogFields))
      } catch {
        // stderr is closed or full: a log line is not worth the process
      }
    }
  }
}

/** One line, for people: `12:30:05.123 info  shard leads  shard=3 zone=local-az1`. */
export function textLine(fields: LogFields): string {
  const { level, time, msg, ...rest } = fields
  const clock = new Date(Number(time)).toISOString().slice(11, 23)
  const facts = Object.entries(rest).map(([name, value]) => `${name}=${factText(value)}`)
  const tail = facts.length === 0 ? '' : `  ${facts.join(' ')}`
  return `${clock} ${LEVEL_NAMES.get(Number(level)) ?? 'info '} ${String(msg)}${tail}\n`
}

/** An operating error is told by its code and facts; a bug needs its stack. */
function factText(value: unknown): string {
  if (typeof value === 'string') return /[\s"=]/.test(value) ? JSON.stringify(value) : value
  if (typeof value !== 'object' || value === null || !('stack' in value)) return JSON.stringify(value) ?? 'undefined'
  if (!('code' in value) || !('message' in value)) return String(value.stack)
  const context = 'context' in value && value.context !== null ? ` ${JSON.stringify(value.context)}` : ''
  return JSON.stringify(`${String(value.code)}: ${String(value.message)}${context}`)
}
