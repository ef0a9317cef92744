/** Bugs of whoever follows and reads: views, plans, long polls; and of the gateways between them and the clients. */
import { isCommit } from '#broker/partition/commit-entry.ts'
import { CatalogView } from '#broker/catalog/catalog-view.ts'
import { decodeGroup } from '#broker/shard/entry.ts'
import { applyEntry } from '#broker/shard/shard-state.ts'
import { ViewRunner } from '#broker/shard/view-runner.ts'
import { ViewWaiters } from '#broker/reader/view-waiters.ts'
import { ProducedBatch } from '#gateway/api/produced-batch.ts'
import { FetchedLately } from '#gateway/fetch/fetched-lately.ts'
import { Fetcher, type Run } from '#gateway/fetch/fetcher.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { comparePositions, type JournalGroup } from '#shared/journal/journal.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { shardTopicCall } from '#shared/rpc/admin.ts'
import { feedCall } from '#shared/rpc/feed.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import type { Life } from '../world/life.ts'
import { patch, patchGetter, type Undo } from './patch.ts'

const LATE_MS = 450 // within the deadline of a feed
const CHUNKS = 'chunks/'

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
  if (body.byteLength > 0) decodeGroup(body, (entry) => { found ||= isCommit(entry) })
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

/** A node that hears late of what leaders append. */
export function hearLate(transport: Transport, { runtime }: Life): Transport {
  return {
    nodeId: transport.nodeId,
    serve: (call, handler) => transport.serve(call, call.name !== feedCall.name ? handler
      : async (request, context) => {
        await sleep(runtime.timer, LATE_MS)
        return handler(request, context)
      }),
    close: () => transport.close(),
    call: (node, call, request, options) => transport.call(node, call, request, options)
  }
}

/** Some readers hear of everything late. */
export function hearLateSomewhere(inner: Transport, life: Life): Transport {
  return inner.nodeId % 2 === 0 ? hearLate(inner, life) : inner
}

/** A gateway that takes whoever comes, from wherever, for one that it has shown all it knows. */
export function trustNewcomers(): Undo {
  return patch(FetchedLately.prototype, 'has', () => () => true)
}

/** A gateway that forgets which reader it asked before, where some readers hear of everything late. */
export function neverFresh(inner: Transport, life: Life): Transport {
  const transport = hearLateSomewhere(inner, life)
  return {
    nodeId: transport.nodeId,
    serve: (call, handler) => transport.serve(call, handler),
    close: () => transport.close(),
    call: (node, call, request, options) =>
      transport.call(node, call, call.name === 'plan' ? { ...request, isFresh: false } : request, options)
  }
}

/** A gateway that gives up a chunk and lets go on what came behind its batches; a store that refuses one in `every`. */
export function giveUpAlone(every: number): Undo {
  let count = 0
  const [seen, refused] = [new Set<string>(), new Set<string>()]
  const undoPut = patch(MemoryStore.prototype, 'putIfAbsent', (original) => function (this: MemoryStore, key, chunks) {
    if (key.startsWith(CHUNKS) && !seen.has(key) && seen.add(key).size % every === 0) refused.add(key)
    return refused.has(key) ? Promise.reject(new ZonewiseError('STORE_UNAVAILABLE', 'refused by the test'))
      : original.call(this, key, chunks)
  })
  const undoOrigin = patchGetter(ProducedBatch.prototype, 'origin', () => () => `${++count}`)
  return () => { undoPut(); undoOrigin() }
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
