/** What the checks share: the agreed log of a partition, and the way to report. */
import { idOf, type RecordId } from './history.ts'

// offsets: of first ones
export type Log = { readonly records: readonly (RecordId | undefined)[]; readonly offsets: ReadonlyMap<string, number> }

/** `at`: the event that shows it. */
export type Found = (rule: string, expected: string, seen: string, at?: number) => void

export function say(record: RecordId | undefined): string {
  return record === undefined ? 'nothing' : idOf(record)
}
