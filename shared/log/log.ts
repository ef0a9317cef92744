/**
 * Log: constant message + fields. error = a human must act; warn = unexpected, went on; info = state change;
 * debug = for developers. Nothing per record.
 */
export type LogFields = Readonly<Record<string, unknown>>

export type Log = {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  /** A log that adds `fields` to each line. */
  child(fields: LogFields): Log
  flush(): void
}

export const silentLog: Log = { error() {}, warn() {}, info() {}, debug() {}, child: () => silentLog, flush() {} }
