/** What one check of `zonewise doctor` found. */
import { ERROR_CODES } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

export type Finding = {
  readonly check: string // a word: 'redis', 'store'
  readonly state: 'ok' | 'warn' | 'fail' // warn: a node starts all the same
  readonly found: string // without a full stop
  readonly why: string // why it matters; '' where all is well
  readonly cure: string // '' where all is well
}

export const ok = (check: string, found: string): Finding => ({ check, state: 'ok', found, why: '', cure: '' })

export type Trouble = Pick<Finding, 'found' | 'why' | 'cure'>

export const warn = (check: string, trouble: Trouble): Finding => ({ check, state: 'warn', ...trouble })
export const fail = (check: string, trouble: Trouble): Finding => ({ check, state: 'fail', ...trouble })

/** An error of ours as a finding: its message and facts, and the cure that it or its code has. */
export function failure(check: string, error: unknown, why: string): Finding {
  if (!(error instanceof ZonewiseError)) throw error
  const { cure, ...facts } = error.context
  const shown = Object.entries(facts).filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name} ${String(value)}`).join(', ')
  const found = shown === '' ? error.message : `${error.message} (${shown})`
  return fail(check, { found, why, cure: typeof cure === 'string' ? cure : ERROR_CODES[error.code].todo })
}

/** One line a finding: state, check, what was found, why it matters, the cure. */
export function findingLine({ check, state, found, why, cure }: Finding, width: number): string {
  const sentences = [found, why, cure].filter((text) => text !== '').map(sentence)
  return `${state === 'fail' ? 'FAIL' : state.padEnd(4)}  ${check.padEnd(width)}  ${sentences.join(' ')}`
}

function sentence(text: string): string {
  const closed = /[.!?]$/.test(text) ? text : `${text}.`
  return /^[a-z]+ /.test(closed) ? closed[0]!.toUpperCase() + closed.slice(1) : closed
}
