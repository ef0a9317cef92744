/** What must hold of records, their offsets and their order. Pure. */
import { say, type Found, type Log } from './findings.ts'
import { idOf, type History } from './history.ts'
import { Floors } from './floors.ts'

type Logs = ReadonlyMap<string, Log>

/** What was read once stays; a reader meets every offset. */
export function checkReads({ events }: History, logs: Logs, found: Found): void {
  const expected = new Map<string, number>()
  events.forEach((event, i) => {
    if (event.kind !== 'read') return
    const { reader, partition, offset, record } = event
    const held = logs.get(partition)?.records[offset]
    const at = `${partition}@${offset}`
    if (held === undefined) found(
      'a committed record never vanishes', `${idOf(record)} at ${at}, as ${reader} read it`, 'nothing there at the end',
      i
    )
    else if (idOf(held) !== idOf(record)) found(
      'an offset never changes', `${idOf(record)} at ${at}, as ${reader} read it`, `${idOf(held)} there at the end`, i
    )
    const key = `${reader} ${partition}`
    const next = expected.get(key) ?? 0
    if (offset !== next) found('readers skip nothing', `${reader} to go on at ${partition}@${next}`, `${at}`, i)
    expected.set(key, offset + 1)
  })
}

export function checkAcks({ events }: History, logs: Logs, found: Found): void {
  events.forEach((event, i) => {
    if (event.kind !== 'acked' && event.kind !== 'acked unplaced') return
    const { partition, record } = event
    const log = logs.get(partition)
    if (event.kind === 'acked unplaced') {
      if (log?.offsets.has(idOf(record)) === true) return
      found('no acked record is lost', `${idOf(record)} in ${partition}, as acked`, 'the record nowhere', i)
      return
    }
    const { offset } = event
    const held = log?.records[offset]
    if (held !== undefined && idOf(held) === idOf(record)) return
    const expected = `${idOf(record)} at ${partition}@${offset}, as acked`
    const elsewhere = log?.offsets.get(idOf(record))
    if (elsewhere !== undefined) found(
      'an ack names the offset', expected, `${say(held)} there, and the record at ${elsewhere}`, i
    )
    else found('no acked record is lost', expected, `${say(held)} there, and the record nowhere`, i)
  })
}

/** What comes later on its way to a gateway, at most. */
const NETWORK_MS_MAX = 1_000

/**
 * Order of a connection: what stood behind a batch when its chunk was given up fails with it. The first that fails
 * after one that did not was in that chunk itself, so that the end of its time is known; what was sent soon after it
 * stood behind it by then.
 */
export function checkGivenUp({ producers, events, timesMs, freezes, giveUpMs }: History, found: Found): void {
  const sentMs = new Map<string, number>()
  const first = new Map<string, number | 'unclear'>() // counter of the first that was given up, by line
  events.forEach((event, i) => {
    if (event.kind !== 'sent' && event.kind !== 'acked' && event.kind !== 'given up' && event.kind !== 'failed') return
    const { partition, record: { producer, counter } } = event
    if (producers.get(producer) !== 'pipelined') return
    const line = `${producer} ${partition}`
    const before = first.get(line)
    if (event.kind === 'sent') sentMs.set(`${line} ${counter}`, timesMs[i]!)
    else if (event.kind === 'failed') first.set(line, 'unclear')
    else if (event.kind === 'given up') first.set(line, before ?? counter)
    else if (before !== undefined && event.kind === 'acked') {
      first.delete(line)
      const beforeMs = sentMs.get(`${line} ${before}`) ?? -Infinity
      const stoodBehind = sentMs.get(`${line} ${counter}`)! - beforeMs < giveUpMs - NETWORK_MS_MAX
      const wasFrozen = freezes.some(({ fromMs, toMs }) => fromMs <= timesMs[i]! && toMs >= beforeMs)
      if (stoodBehind && !wasFrozen) found(
        'giving up fails what is behind', `${producer}:${counter} in ${partition} to fail with :${before} before it`,
        `it acked at ${event.offset}`, i
      )
    }
  })
}

/** Order inside (producer, partition), how often a record may be there, and that somebody sent it. */
export function checkProducers({ producers, events }: History, logs: Logs, found: Found): void {
  const sent = new Set<string>()
  for (const event of events) if (event.kind === 'sent') sent.add(`${event.partition} ${idOf(event.record)}`)
  for (const [partition, { records, offsets }] of logs) {
    const newest = new Map<string, number>()
    records.forEach((record, offset) => {
      if (record === undefined) return
      const { producer, counter } = record
      const [id, at] = [idOf(record), `${partition}@${offset}`]
      if (!sent.has(`${partition} ${id}`)) found('nothing is made up', `what somebody sent at ${at}`, id)
      const first = offsets.get(id)!
      if (first !== offset) { // again
        const kind = producers.get(producer)
        if (kind !== 'plain') found(
          'exactly once', `${id} of a producer that is ${kind} at ${partition}@${first} alone`, `it at ${at} too`
        )
        return
      }
      const before = newest.get(producer) ?? -1
      if (counter < before) found(
        'order inside a producer\'s partition', `nothing older than ${producer}:${before} at ${at}`, id
      )
      newest.set(producer, Math.max(before, counter))
    })
  }
}

/** An answer to "where is the end" knows all that was known when the question was asked. */
export function checkEnds({ events }: History, logs: Logs, found: Found): void {
  const floors = new Floors()
  events.forEach((event, i) => {
    if (event.kind === 'acked' || event.kind === 'read') floors.raise(event.partition, event.offset + 1, i)
    if (event.kind !== 'end') return
    const { partition, endOffset, askedAt } = event
    const floor = floors.before(partition, askedAt)
    if (endOffset < floor) found(
      'an end is never stale', `an end of ${partition} of at least ${floor}, known when it was asked for`,
      `${endOffset}`, i
    )
    const length = logs.get(partition)?.records.length ?? 0
    if (endOffset > length) found(
      'an end is durable', `an end of ${partition} of at most ${length}, where it is now`, `${endOffset}`, i
    )
    floors.raise(partition, endOffset, i)
  })
}
