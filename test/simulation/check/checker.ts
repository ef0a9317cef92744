/**
 * Judges a history. Pure. The agreed log of a partition is what the first final reader saw; everything else that anybody
 * was told, ever, must fit to it.
 */
import { idOf, type FinalLog, type History, type RecordId, type Violation } from './history.ts'

type Log = { readonly records: readonly (RecordId | undefined)[]; readonly offsets: ReadonlyMap<string, number> } // offsets: of first ones

export function check(history: History): Violation[] {
  const found: Violation[] = [...history.violations]
  const logs = agree(history.finals, found)
  checkReads(history, logs, found)
  checkAcks(history, logs, found)
  checkProducers(history, logs, found)
  checkEnds(history, logs, found)
  checkCommittedOffsets(history, found)
  return found
}

/** Offsets are dense, one record each, and the same for every final reader. */
function agree(finals: readonly FinalLog[], found: Violation[]): Map<string, Log> {
  const logs = new Map<string, Log>()
  for (const { reader, partition, records } of finals) {
    const own: (RecordId | undefined)[] = []
    for (const { offset, record } of records) {
      const held = own[offset]
      if (held !== undefined) found.push({ rule: 'one record an offset', what: `${reader} read ${idOf(held)} and ${idOf(record)} at ${partition}@${offset}` })
      own[offset] = record
    }
    for (let offset = 0; offset < own.length; offset++)
      if (own[offset] === undefined) found.push({ rule: 'offsets are dense', what: `${reader} found nothing at ${partition}@${offset}` })
    const agreed = logs.get(partition)
    if (agreed === undefined) logs.set(partition, { records: own, offsets: firstOffsets(own) })
    else for (let offset = 0; offset < Math.max(own.length, agreed.records.length); offset++) {
      if (say(own[offset]) === say(agreed.records[offset])) continue
      found.push({ rule: 'all readers agree', what: `${reader} read ${say(own[offset])} at ${partition}@${offset}, others ${say(agreed.records[offset])}` })
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

/** What was read once stays; a reader meets every offset. */
function checkReads({ events }: History, logs: ReadonlyMap<string, Log>, found: Violation[]): void {
  const expected = new Map<string, number>()
  for (const event of events) {
    if (event.kind !== 'read') continue
    const { reader, partition, offset, record } = event
    const held = logs.get(partition)?.records[offset]
    const at = `${partition}@${offset}`
    if (held === undefined) found.push({ rule: 'a committed record never vanishes', what: `${reader} read ${idOf(record)} at ${at}, where nothing is now` })
    else if (idOf(held) !== idOf(record)) found.push({ rule: 'an offset never changes', what: `${reader} read ${idOf(record)} at ${at}, which is ${idOf(held)} now` })
    const key = `${reader} ${partition}`
    const next = expected.get(key) ?? 0
    if (offset !== next) found.push({ rule: 'readers skip nothing', what: `${reader} got ${at} instead of ${next}` })
    expected.set(key, offset + 1)
  }
}

function checkAcks({ events }: History, logs: ReadonlyMap<string, Log>, found: Violation[]): void {
  for (const event of events) {
    if (event.kind !== 'acked') continue
    const { partition, record, offset } = event
    const log = logs.get(partition)
    const held = log?.records[offset]
    if (held !== undefined && idOf(held) === idOf(record)) continue
    if (log?.offsets.has(idOf(record)) === true)
      found.push({ rule: 'an ack names the offset', what: `${idOf(record)} was acked at ${partition}@${offset}, where ${say(held)} is` })
    else found.push({ rule: 'no acked record is lost', what: `${idOf(record)}, acked at ${partition}@${offset}, is nowhere` })
  }
}

/** Order inside (producer, partition), how often a record may be there, and that somebody sent it. */
function checkProducers({ producers, events }: History, logs: ReadonlyMap<string, Log>, found: Violation[]): void {
  const sent = new Set<string>()
  for (const event of events) if (event.kind === 'sent') sent.add(`${event.partition} ${idOf(event.record)}`)
  for (const [partition, { records, offsets }] of logs) {
    const newest = new Map<string, number>()
    records.forEach((record, offset) => {
      if (record === undefined) return
      const { producer, counter } = record
      const [id, at] = [idOf(record), `${partition}@${offset}`]
      if (!sent.has(`${partition} ${id}`)) found.push({ rule: 'nothing is made up', what: `${id} at ${at} was never sent` })
      if (offsets.get(id) !== offset) { // again
        if (producers.get(producer) !== 'plain')
          found.push({ rule: 'exactly once', what: `${id} of a producer that is ${producers.get(producer)} is at ${at} and at ${offsets.get(id)}` })
        return
      }
      const before = newest.get(producer) ?? -1
      if (counter < before) found.push({ rule: 'order inside a producer\'s partition', what: `${id} at ${at} comes after ${producer}:${before}` })
      newest.set(producer, Math.max(before, counter))
    })
  }
}

/** An answer to "where is the end" knows all that was known when the question was asked. */
function checkEnds({ events }: History, logs: ReadonlyMap<string, Log>, found: Violation[]): void {
  const floors = new Map<string, number>()
  const history = new Map<string, { readonly at: number; readonly floor: number }[]>()
  events.forEach((event, at) => {
    const known = event.kind === 'acked' || event.kind === 'read' ? event.offset + 1 : event.kind === 'end' ? event.endOffset : null
    if (known === null || !('partition' in event)) return
    const { partition } = event
    if (event.kind === 'end') {
      const floor = history.get(partition)?.findLast((one) => one.at < event.askedAt)?.floor ?? 0
      if (event.endOffset < floor) found.push({ rule: 'an end is never stale', what: `end of ${partition} was said to be ${event.endOffset}, known was ${floor}` })
      const length = logs.get(partition)?.records.length ?? 0
      if (event.endOffset > length) found.push({ rule: 'an end is durable', what: `end of ${partition} was said to be ${event.endOffset}, it is ${length} now` })
    }
    if (known <= (floors.get(partition) ?? 0)) return
    floors.set(partition, known)
    const steps = history.get(partition)
    if (steps === undefined) history.set(partition, [{ at, floor: known }])
    else steps.push({ at, floor: known })
  })
}

/** One committer a group, its values rise: an answer is not older than what was committed when the question was asked. */
function checkCommittedOffsets({ events }: History, found: Violation[]): void {
  const committed = new Map<string, { readonly at: number; readonly value: number }[]>()
  const tried = new Map<string, number>()
  events.forEach((event, at) => {
    if (event.kind === 'committing') tried.set(event.group, event.value)
    else if (event.kind === 'committed') committed.set(event.group, [...(committed.get(event.group) ?? []).slice(-64), { at, value: event.value }])
    else if (event.kind === 'offset-fetched') {
      const { group, value, askedAt } = event
      const floor = committed.get(group)?.findLast((one) => one.at < askedAt)?.value ?? -1
      if (value < floor) found.push({ rule: 'a committed offset stays', what: `${group} has ${value}, committed was ${floor}` })
      if (value > (tried.get(group) ?? -1)) found.push({ rule: 'nothing is made up', what: `${group} has ${value}, which nobody committed` })
    }
  })
}

function say(record: RecordId | undefined): string {
  return record === undefined ? 'nothing' : idOf(record)
}
