/** Bugs of whoever follows and reads: views, plans, long polls; and of the gateways between them and the clients. */
import { CatalogView } from '#broker/catalog/catalog-view.ts'
import { decodeGroup, ENTRY_KIND } from '#broker/shard/entry.ts'
import { applyEntry } from '#broker/shard/shard-state.ts'
import { ViewRunner } from '#broker/shard/view-runner.ts'
import { ViewWaiters } from '#broker/reader/view-waiters.ts'
import { Fetcher, type Run } from '#gateway/fetch/fetcher.ts'
import { Ingest } from '#gateway/ingest/ingest.ts'
import { comparePositions, type JournalGroup } from '#shared/journal/journal.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { shardTopicCall } from '#shared/rpc/admin.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { patch, type Undo } from './patch.ts'

/** A view that takes one group in `every` with commits without looking where its bytes are. */
export function skipGroups(every: number): Undo {
  let count = 0
  return patch(ViewRunner.prototype, 'take', (original) => function (this: ViewRunner, group: JournalGroup) {
    const { durable } = this
    const isNext = comparePositions(group.after, durable.position) === 0
    if (!isNext || !hasCommit(group) || ++count % every !== 0) return original.call(this, group)
    decodeGroup(group.body, (entry, timeMs) => applyEntry(durable.state, entry, timeMs))
    durable.position = group.position
    durable.crc = group.crc
    return true
  })
}

function hasCommit({ body }: JournalGroup): boolean {
  let found = false
  if (body.byteLength > 0) decodeGroup(body, ({ kind }) => { found ||= kind === ENTRY_KIND.commit })
  return found
}

/** A view that takes whatever comes as if it followed what is there. */
export function takeAnySuccessor(): Undo {
  return patch(ViewRunner.prototype, 'take', (original) => function (this: ViewRunner, group: JournalGroup) {
    const { durable } = this
    if (comparePositions(group.after, durable.position) > 0) {
      durable.position = group.after
      durable.crc = group.afterCrc
    }
    return original.call(this, group)
  })
}

/** A view that calls itself fresh without asking the journal. */
export function skipBarriers(): Undo {
  return patch(ViewRunner.prototype, 'barrier', () => async () => {})
}

/** A catalog that calls itself fresh without asking the journal. */
export function skipCatalogBarriers(): Undo {
  return patch(CatalogView.prototype, 'barrier', () => async () => {})
}

/** A long poll in three is never woken. */
export function missWakeUps(): Undo {
  let count = 0
  return patch(ViewWaiters.prototype, 'wait', (original) => function (this: ViewWaiters, localIds, wake) {
    return original.call(this, localIds, ++count % 3 === 0 ? () => {} : wake)
  })
}

/** One run in `every` gets its batches' headers patched with offsets that are one too high. */
export function patchWrongOffsets(every: number): Undo {
  let count = 0
  return patch(Fetcher.prototype, 'plan', (original) => async function (this: Fetcher, request, signal) {
    const planned = await original.call(this, request, signal)
    const shifted = (run: Run): Run => ({ ...run, baseOffset: run.baseOffset + 1, endOffset: run.endOffset + 1 })
    return planned.map((one) => ({ ...one, runs: one.runs.map((run) => (++count % every === 0 ? shifted(run) : run)) }))
  })
}

/** A gateway that forgets which reader it asked before. */
export function neverFresh(transport: Transport): Transport {
  return {
    nodeId: transport.nodeId,
    serve: (call, handler) => transport.serve(call, handler),
    close: () => transport.close(),
    call: (node, call, request, options) =>
      transport.call(node, call, call.name === 'plan' ? { ...request, isFresh: false } : request, options)
  }
}

/** A gateway that gives up a chunk and lets go on what came behind its batches. */
export function giveUpAlone(): Undo {
  let count = 0
  return patch(Ingest.prototype, 'append', (original) => function (this: Ingest, batch) {
    return original.call(this, { ...batch, origin: `${batch.origin}/${++count}` })
  })
}

/** A catalog that calls partitions made before the shards have made them. */
export function skipSteps(transport: Transport): Transport {
  return {
    nodeId: transport.nodeId,
    serve: (call, handler) => transport.serve(call, call.name === shardTopicCall.name
      ? () => Promise.resolve({ errorCode: KAFKA_ERROR.NONE, errorMessage: null } as never) : handler),
    close: () => transport.close(),
    call: (node, call, request, options) => transport.call(node, call, request, options)
  }
}
