/**
 * What must hold of consumer groups. Pure. A generation has one leader, one list of members and one assignment, in
 * which a partition belongs to one member; once members of a generation have theirs, older ones are over. Committed
 * offsets stay, and a group skips nothing.
 */
import type { Found, Log } from './findings.ts'
import { Floors } from './floors.ts'
import type { Event, History } from './history.ts'

/** A heartbeat is answered by a leader that proved itself at most so long ago. */
const BEAT_SLACK_MS = 1_000

type Of<Kind extends Event['kind']> = Extract<Event, { readonly kind: Kind }>

export function checkGroups(history: History, logs: ReadonlyMap<string, Log>, found: Found): void {
  checkGenerations(history, found)
  checkOldGenerations(history, found)
  checkCommitted(history, found)
  checkConsumed(history, logs, found)
}

function checkGenerations({ events }: History, found: Found): void {
  const leaders = new Map<string, string>()
  const lists = new Map<string, string>()
  const assignments = new Map<string, string>() // by generation and member
  const owners = new Map<string, string>() // by generation and partition
  const agree = (
    known: Map<string, string>, key: string, value: string, rule: string, what: string, i: number
  ): void => {
    const before = known.get(key)
    if (before === undefined) known.set(key, value)
    else if (before !== value) found(rule, `${what} to be ${before} in ${key}`, value, i)
  }
  events.forEach((event, i) => {
    if (event.kind === 'joined') {
      const generation = `generation ${event.generation} of ${event.group}`
      agree(leaders, generation, event.leader, 'a generation has one leader', 'the leader', i)
      if (event.members.length > 0) agree(
        lists, generation, event.members.join(' '), 'a generation has one list of members', 'the members', i
      )
    } else if (event.kind === 'assigned') {
      const generation = `generation ${event.generation} of ${event.group}`
      agree(
        assignments, `${event.member} in ${generation}`, event.partitions.join(' '), 'a generation has one assignment',
        'the partitions', i
      )
      for (const partition of event.partitions) agree(
        owners, `${partition} in ${generation}`, event.member, 'a partition has one owner', 'the owner', i
      )
    }
  })
}

/** Generations of a group in the order in which their first member had its partitions. */
function checkOldGenerations({ events, timesMs }: History, found: Found): void {
  const assigned = new Floors()
  const assignedMs = new Map<string, { readonly generation: number; readonly atMs: number }[]>()
  const checkCurrent = (event: Of<'assigned' | 'committed'>, what: string, i: number): void => {
    const floor = assigned.before(event.group, event.askedAt, -1)
    if (event.generation < floor && event.generation !== -1)
      found(
        'an old generation is over',
        `${what} of ${event.group} in generation ${event.generation} to be refused, for ${floor} had its partitions`,
        'it done', i
      )
  }
  events.forEach((event, i) => {
    if (event.kind === 'committed') checkCurrent(event, `a commit of ${event.partition}`, i)
    else if (event.kind === 'assigned') {
      checkCurrent(event, `an assignment to ${event.member}`, i)
      assigned.raise(event.group, event.generation, i)
      assignedMs.set(
        event.group,
        [...(assignedMs.get(event.group) ?? []).slice(-20), { generation: event.generation, atMs: timesMs[i]! }]
      )
    } else if (event.kind === 'beat') {
      const { askedMs } = event
      const newer = assignedMs.get(event.group)?.find(
        ({ generation, atMs }) => generation > event.generation && atMs < askedMs - BEAT_SLACK_MS
      )
      if (newer !== undefined)
        found(
          'an old generation is over',
          `a heartbeat of ${event.member} in generation ${event.generation} to be refused, ` +
            `for ${newer.generation} had its partitions a second before`,
          'it welcome', i
        )
    }
  })
}

/** Offsets of a group rise; an answer is not older than what was committed when the question was asked. */
function checkCommitted({ events }: History, found: Found): void {
  const [committed, tried] = [new Floors(), new Floors()]
  events.forEach((event, i) => {
    if (event.kind !== 'committing' && event.kind !== 'committed' && event.kind !== 'offset-fetched') return
    const { group, partition, offset } = event
    const key = `${group} ${partition}`
    if (event.kind === 'committing') tried.raise(key, offset, i)
    else if (event.kind === 'committed') committed.raise(key, offset, i)
    else {
      const [floor, ceiling] = [committed.before(key, event.askedAt, -1), tried.before(key, i, -1)]
      if (offset < floor) found('a committed offset stays', `${key} at ${floor} at least, as committed`, `${offset}`, i)
      if (offset > ceiling) found(
        'nothing is made up', `${key} at ${ceiling} at most, all that was tried`, `${offset}`, i
      )
    }
  })
}

/** Whatever lies below a committed offset was consumed by somebody. */
function checkConsumed({ events }: History, logs: ReadonlyMap<string, Log>, found: Found): void {
  const consumed = new Map<string, Set<number>>()
  const checked = new Map<string, number>() // consumed without a gap up to here
  events.forEach((event, i) => {
    if (event.kind !== 'consumed' && event.kind !== 'committed') return
    const key = `${event.group} ${event.partition}`
    if (event.kind === 'consumed') {
      let offsets = consumed.get(key)
      if (offsets === undefined) consumed.set(key, (offsets = new Set()))
      offsets.add(event.offset)
      const length = logs.get(event.partition)?.records.length ?? 0
      if (event.offset >= length) found(
        'a committed record never vanishes', `${event.partition}@${event.offset}, as ${event.group} consumed it`,
        `an end of ${length}`, i
      )
    } else if (event.generation !== -1) {
      let next = checked.get(key) ?? 0
      for (; next < event.offset; next++)
        if (consumed.get(key)?.has(next) !== true) {
          found(
            'a group skips nothing',
            `${event.partition}@${next} consumed by ${event.group}, which committed ${event.offset}`, 'nobody who did',
            i
          )
          break
        }
      checked.set(key, Math.max(next, event.offset))
    }
  })
}
