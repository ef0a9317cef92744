/**
 * Bugs to be found: each breaks one promise of the product from outside, by wrapping a seam or a method, and is taken
 * out again by the function it returns.
 */
import { CatalogView } from '#broker/catalog/catalog-view.ts'
import type { Leadership } from '#broker/shard/leadership.ts'
import { decodeGroup, ENTRY_KIND } from '#broker/shard/entry.ts'
import { ShardHost } from '#broker/shard/shard-host.ts'
import { applyEntry } from '#broker/shard/shard-state.ts'
import { ViewRunner } from '#broker/shard/view-runner.ts'
import type { Journal, JournalGroup, Position, ShardJournal } from '#shared/journal/journal.ts'
import { runningCrc } from '#shared/journal/running-crc.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import type { Life } from '../world/life.ts'

const LATE_MS = 60

/** A journal that says "durable" at once and appends a while later: a crash in between loses what was acked. */
export function ackBeforeDurable(journal: Journal, life: Life): Journal {
  return {
    shard: async (shard) => lyingJournal(await journal.shard(shard), life),
    create: (shard) => journal.create(shard),
    clusterId: () => journal.clusterId(),
    setClusterId: (clusterId) => journal.setClusterId(clusterId),
    close: () => journal.close()
  }
}

function lyingJournal(journal: ShardJournal, life: Life): ShardJournal {
  let newest: { readonly position: Position; readonly crc: number } | null = null // of what was promised
  let appended: Promise<void> = Promise.resolve()
  const append = async (epoch: number, after: Position, body: Uint8Array): Promise<void> => {
    await sleep(life.runtime.timer, LATE_MS)
    for (;;) {
      try {
        await journal.append(epoch, after, [body])
        return
      } catch {
        await sleep(life.runtime.timer, 1)
      }
    }
  }
  return {
    lead: async (above, known) => (newest = await journal.lead(above, known)),
    append: async (epoch, after, body) => {
      const copy = new Uint8Array(Buffer.concat(body))
      const position = { epoch, seq: after.seq + 1 }
      const crc = runningCrc(newest?.crc ?? 0, position, [copy])
      newest = { position, crc }
      appended = appended.then(() => append(epoch, after, copy))
      return { kind: 'durable', position, crc }
    },
    end: () => journal.end(),
    read: (after, bounds) => journal.read(after, bounds),
    tail: (onGroup) => journal.tail(onGroup),
    trim: (epoch, to) => journal.trim(epoch, to)
  }
}

type Undo = () => void

function patch<T, K extends keyof T>(target: T, name: K, method: (original: T[K]) => T[K]): Undo {
  const original = target[name]
  target[name] = method(original)
  return () => { target[name] = original }
}

/** A leader that forgets which chunks it has decided: a chunk sent again is applied again. */
export function forgetChunks(): Undo {
  return patchLeader((leadership) => { leadership.state.partitions.sources.clear() })
}

/** A leader that forgets producers, and takes any first sequence: what a client sends again is applied again. */
export function forgetProducers(): Undo {
  const undoLeader = patchLeader((leadership) => {
    for (const partition of leadership.state.partitions.byLocalId) partition?.producers.clear()
  })
  const undoIssued = patch(CatalogView.prototype, 'producerIdIssuedMs', () => () => 0)
  return () => { undoLeader(); undoIssued() }
}

function patchLeader(spoil: (leadership: Leadership) => void): Undo {
  return patch(ShardHost.prototype, 'leader', (original) => function (this: ShardHost, shard) {
    const leadership = original.call(this, shard)
    if (leadership !== null) spoil(leadership)
    return leadership
  })
}

/** A view that takes one group in `every` with commits without looking where its bytes are. */
export function skipGroups(every: number): Undo {
  let count = 0
  return patch(ViewRunner.prototype, 'take', (original) => function (this: ViewRunner, group: JournalGroup) {
    const { durable } = this
    const { position, after } = group
    const isNext = after.epoch === durable.position.epoch && after.seq === durable.position.seq
    if (!isNext || !hasCommit(group) || ++count % every !== 0) return original.call(this, group)
    decodeGroup(group.body, (entry, timeMs) => applyEntry(durable.state, entry, timeMs))
    durable.position = position
    durable.crc = group.crc
    return true
  })
}

function hasCommit({ body }: JournalGroup): boolean {
  let found = false
  if (body.byteLength > 0) decodeGroup(body, ({ kind }) => { found ||= kind === ENTRY_KIND.commit })
  return found
}
