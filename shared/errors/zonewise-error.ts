/** The one class of operating errors. Callers switch on `code`; the message is constant, facts are in `context`. */
import { ERROR_CODES, type ErrorCode } from './error-codes.ts'

export type ErrorContext = Readonly<Record<string, string | number | boolean | null | undefined>>

export class ZonewiseError extends Error {
  readonly code: ErrorCode
  readonly context: ErrorContext

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ZonewiseError'
    this.code = code
    this.context = context
  }

  get retriable(): boolean {
    return ERROR_CODES[this.code].retriable
  }

  /** What a Kafka client is told. */
  get kafkaCode(): number {
    return ERROR_CODES[this.code].kafkaCode
  }
}

/** Says an error in one line: message, context and what to do, which is its `cure` where it has one. */
export function explain(error: unknown): string {
  if (!(error instanceof ZonewiseError)) return error instanceof Error ? error.message : String(error)
  const { cure, ...rest } = error.context
  const facts = Object.entries(rest).filter(([, value]) => value !== undefined)
  const context = facts.length === 0 ? '' : ` (${facts.map(([name, value]) => `${name} ${String(value)}`).join(', ')})`
  const todo = typeof cure === 'string' ? `${cure[0]?.toUpperCase()}${cure.slice(1)}.` : ERROR_CODES[error.code].todo
  return `${error.message}${context}. ${todo}`
}
