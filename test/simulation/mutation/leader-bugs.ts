/** Bugs of leaders: what they remember, when they answer, what they take for durable. */
import { CatalogView } from '#broker/catalog/catalog-view.ts'
import type { DurableShard } from '#broker/shard/durable-shard.ts'
import { decodeGroup, encodeGroup, type Entry } from '#broker/shard/entry.ts'
import { Leadership } from '#broker/shard/leadership.ts'
import { ShardHost } from '#broker/shard/shard-host.ts'
import { SnapshotStore } from '#broker/shard/snapshot-store.ts'
import { ViewRunner } from '#broker/shard/view-runner.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Journal, Position, ShardJournal } from '#shared/journal/journal.ts'
import { runningCrc } from '#shared/journal/running-crc.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import type { Life } from '../world/life.ts'
import { patch, patchGetter, patchLeader, type Undo } from './patch.ts'

const LATE_MS = 60
const IDEMPOTENCE_WINDOW = 4

/** A journal whose shards are changed. */
export function withShards(journal: Journal, change: (inner: ShardJournal) => ShardJournal): Journal {
  return {
    shard: async (shard) => change(await journal.shard(shard)),
    create: (shard) => journal.create(shard),
    clusterId: () => journal.clusterId(),
    setClusterId: (clusterId) => journal.setClusterId(clusterId),
    close: () => journal.close()
  }
}

/** The same with an append that knows the running CRC of what it follows, and says what it made of it. */
export function withAppends(
  journal: Journal, changed: (inner: ShardJournal, crc: { newest: number }) => ShardJournal['append']
): Journal {
  return withShards(journal, (inner) => {
    const crc = { newest: 0 }
    return {
      ...inner,
      lead: async (above, known) => {
        const led = await inner.lead(above, known)
        crc.newest = led.crc
        return led
      },
      append: changed(inner, crc)
    }
  })
}

/** Says "durable" at once and appends a while later: a crash in between loses what was acked. */
export function ackBeforeDurable(journal: Journal, life: Life): Journal {
  return withAppends(journal, (inner, crc) => {
    let appended: Promise<void> = Promise.resolve()
    const append = async (epoch: number, after: Position, body: Uint8Array): Promise<void> => {
      await sleep(life.runtime.timer, LATE_MS)
      for (;;) {
        try {
          await inner.append(epoch, after, [body])
          return
        } catch {
          await sleep(life.runtime.timer, 1)
        }
      }
    }
    return async (epoch, after, body) => {
      const copy = new Uint8Array(Buffer.concat(body))
      const position = { epoch, seq: after.seq + 1 }
      crc.newest = runningCrc(crc.newest, position, [copy]) // of what was promised
      appended = appended.then(() => append(epoch, after, copy))
      return { kind: 'durable', position, crc: crc.newest }
    }
  })
}

/** A leader that takes "fenced" for "durable" and goes on answering. */
export function answerWhenFenced(journal: Journal): Journal {
  return withAppends(journal, (inner, crc) => async (epoch, after, body) => {
    const outcome = await inner.append(epoch, after, body)
    const position = { epoch, seq: after.seq + 1 }
    crc.newest = outcome.kind === 'durable' ? outcome.crc : runningCrc(crc.newest, position, body)
    return outcome.kind === 'durable' ? outcome : { kind: 'durable', position, crc: crc.newest }
  })
}

/**
 * A leader that repeats an append of unknown outcome under the same id without its last entry, and believes what it
 * hears.
 */
export function reuseIds(journal: Journal): Journal {
  return withShards(journal, (inner) => {
    let unsettled: Position | null = null
    return {
      ...inner,
      append: async (epoch, after, body) => {
        const again = unsettled !== null && unsettled.epoch === after.epoch && unsettled.seq === after.seq
        unsettled = null
        try {
          const outcome = await inner.append(epoch, after, again ? withoutLastEntry(body) : body)
          return outcome.kind === 'durable' || !again ? outcome
            : { kind: 'durable', position: { epoch, seq: after.seq + 1 }, crc: outcome.end.crc }
        } catch (error) {
          if (error instanceof ZonewiseError && error.code === 'JOURNAL_UNSETTLED') unsettled = after
          throw error
        }
      }
    }
  })
}

function withoutLastEntry(body: readonly Uint8Array[]): Uint8Array[] {
  const entries: Entry[] = []
  let groupMs = 0
  decodeGroup(Buffer.concat(body), (entry, timeMs) => { entries.push(entry); groupMs = timeMs })
  return encodeGroup(groupMs, entries.slice(0, -1))
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

/** A leader that remembers four batches of a producer instead of five. */
export function narrowIdempotence(): Undo {
  return patchLeader((leadership) => {
    for (const partition of leadership.state.partitions.byLocalId)
      for (const [producerId, producer] of partition?.producers ?? [])
        partition!.producers.set(producerId, { ...producer, batches: producer.batches.slice(-IDEMPOTENCE_WINDOW) })
  })
}

/** A repeated chunk gets its answers though the entry they rest on is still on its way. */
export function answerRepeatsAtOnce(): Undo {
  return patch(Leadership.prototype, 'settled', () => async () => {})
}

/** Answers without an entry of their own go out without a look at the journal. */
export function answerWithoutProof(): Undo {
  return patch(Leadership.prototype, 'proof', () => async () => {})
}

/** A takeover that forgets which generation members may have been told. */
export function loseGenerations(): Undo {
  return patch(ShardHost.prototype, 'onLead', (original) => function (this: ShardHost, fn) {
    original.call(this, (leader) => {
      for (const record of leader.state.groups.groups.values()) record.generationGiven = record.generation
      fn(leader)
    })
  })
}

/** Snapshots of what the leader has decided, durable or not. */
export function snapshotSpeculation(): Undo {
  const newest = new Map<string, Leadership>() // by shard and epoch
  const undoAppend = patch(Leadership.prototype, 'append', (original) => function (this: Leadership, entries) {
    newest.set(`${this.shard}/${this.epoch}`, this)
    return original.call(this, entries)
  })
  const undoDurable =
    patchGetter(ViewRunner.prototype, 'durable', (original) => function (this: ViewRunner): DurableShard {
    const durable = original.call(this)
    const leadership = newest.get(`${durable.shard}/${durable.position.epoch}`)
    return leadership === undefined || leadership.ended.aborted ? durable : { ...durable, state: leadership.state }
  })
  return () => { undoAppend(); undoDurable() }
}

/** The journal is trimmed to a snapshot that is being written. */
export function trimUnverified(): Undo {
  const begun = new Map<string, Position>()
  const undoWrite = patch(SnapshotStore.prototype, 'write', (original) => function (this: SnapshotStore, durable) {
    begun.set(`${durable.shard}`, durable.position)
    original.call(this, durable).catch(() => {})
    return Promise.resolve(durable.position)
  })
  const undoTrimmable = patch(
    SnapshotStore.prototype, 'trimmable', () => (shard) => Promise.resolve(begun.get(`${shard}`) ?? null)
  )
  return () => { undoWrite(); undoTrimmable() }
}
