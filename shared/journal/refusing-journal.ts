import type { ZonewiseError } from '../errors/zonewise-error.ts'
import type { ShardJournal } from './journal.ts'

/** Stands for a journal that cannot be had: every call fails with `error`. */
export function refusingJournal(error: ZonewiseError): ShardJournal {
  const refuse = (): Promise<never> => Promise.reject(error)
  return { lead: refuse, append: refuse, end: refuse, read: refuse, trim: refuse, tail: () => () => {} }
}
