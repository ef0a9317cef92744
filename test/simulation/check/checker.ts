/**
 * Judges a history. Pure. The agreed log of a partition is what the first final reader saw; everything else that
 * anybody was told, ever, must fit to it.
 */
import { say, type Found, type Log } from './findings.ts'
import { checkGroups } from './group-checks.ts'
import { checkAcks, checkEnds, checkGivenUp, checkProducers, checkReads } from './log-checks.ts'
import { idOf, unlike, type FinalLog, type History, type RecordId, type Violation } from './history.ts'

export function check(history: History): Violation[] {
  const violations: Violation[] = [...history.violations]
  const found: Found = (rule, expected, seen, at) => {
    const atMs = at === undefined ? history.nowMs : history.timesMs[at]!
    violations.push({ rule, what: unlike(expected, seen), atMs })
  }
  const logs = agree(history.finals, found)
  checkReads(history, logs, found)
  checkAcks(history, logs, found)
  checkGivenUp(history, found)
  checkProducers(history, logs, found)
  checkEnds(history, logs, found)
  checkGroups(history, logs, found)
  return violations
}

/** Offsets are dense, one record each, and the same for every final reader. */
function agree(finals: readonly FinalLog[], found: Found): Map<string, Log> {
  const logs = new Map<string, Log>()
  for (const { reader, partition, records } of finals) {
    const own: (RecordId | undefined)[] = []
    for (const { offset, record } of records) {
      const held = own[offset]
      if (held !== undefined) found(
        'one record an offset', `${idOf(held)} at ${partition}@${offset} alone`,
        `${idOf(record)} there too, by ${reader}`
      )
      own[offset] = record
    }
    for (let offset = 0; offset < own.length; offset++)
      if (own[offset] === undefined) found(
        'offsets are dense', `a record at ${partition}@${offset}`, `none, by ${reader}`
      )
    const agreed = logs.get(partition)
    if (agreed === undefined) logs.set(partition, { records: own, offsets: firstOffsets(own) })
    else for (let offset = 0; offset < Math.max(own.length, agreed.records.length); offset++) {
      if (say(own[offset]) === say(agreed.records[offset])) continue
      found(
        'all readers agree', `${say(agreed.records[offset])} at ${partition}@${offset}`,
        `${say(own[offset])}, by ${reader}`
      )
      break
    }
  }
  return logs
}

function firstOffsets(records: readonly (RecordId | undefined)[]): Map<string, number> {
  const offsets = new Map<string, number>()
  records.forEach((record, offset) => {
    if (record !== undefined && !offsets.has(idOf(record))) offsets.set(idOf(record), offset)
  })
  return offsets
}
