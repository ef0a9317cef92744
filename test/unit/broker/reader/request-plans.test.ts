/** Goal: a plan says what is there, within its bounds, and looking again at what has news gives what looking at all gives. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PlanLimits } from '#broker/reader/plan-partition.ts'
import { RequestPlans } from '#broker/reader/request-plans.ts'
import type { PlanRequest } from '#shared/rpc/read.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { ViewTwin } from '#test/support/view-twin.ts'

const TOPIC = 'abcdefghijklmnopqrstuw'
const BATCH = 161
const batch = { recordCount: 10, valueBytes: 10 }
const limits: PlanLimits = { runsMax: 1_000, chunksAtTail: 1_000, aheadBytes: 0 }

async function viewOf(chunks: number, partitions = 3): Promise<ViewTwin> {
  const view = new ViewTwin()
  view.create(TOPIC, Array.from({ length: partitions }, (_, p) => p))
  for (let n = 0; n < chunks; n++) await view.commit(...Array.from({ length: partitions }, (_, p) => [p, batch] as const))
  return view
}

function ask(fetchOffsets: readonly number[], given: Partial<PlanRequest> & { maxBytes?: number } = {}): PlanRequest {
  const { maxBytes = 1_000_000, ...rest } = given
  const partitions = fetchOffsets.map((fetchOffset, partition) => ({ topicId: TOPIC, partition, fetchOffset, maxBytes, currentLeaderEpoch: -1 }))
  return { isFresh: false, shard: 0, waitMs: 0, minBytes: 1, isolationLevel: 0, partitions, ...rest }
}

/** How far behind a run is may be as of an older look. */
const withoutAge = ({ response: { partitions } }: RequestPlans): unknown =>
  partitions.map(({ runs, ...facts }) => ({ ...facts, runs: runs.map((run) => ({ ...run, chunksBehind: 0 })) }))
const runCounts = (plans: RequestPlans): number[] => plans.response.partitions.map(({ runs }) => runs.length)

test('request-plans: runs begin with the one that holds the offset and go on until the bytes are there', async () => {
  const view = await viewOf(20)
  const [planned] = new RequestPlans(view, ask([35], { maxBytes: 3 * BATCH }), limits).response.partitions
  assert.deepEqual(planned!.runs.map(({ baseOffset }) => baseOffset), [30, 40, 50, 60], 'half of the first lies before')
  assert.deepEqual(planned!.runs.map(({ lengthBefore }) => lengthBefore), [Math.floor(BATCH / 2), 0, 0, 0])
  assert.deepEqual(planned!.runs.map(({ chunksBehind }) => chunksBehind), [16, 15, 14, 13])
  assert.equal(planned!.isCut, false)
})

test('request-plans: a million small batches in a partition make a short plan, which is no reason to wait', async () => {
  const view = await viewOf(300, 1)
  const plans = new RequestPlans(view, ask([0], { minBytes: 40_000 }), { ...limits, runsMax: 100 })
  assert.deepEqual(runCounts(plans), [100])
  assert.equal(plans.response.partitions[0]!.isCut, true)
  assert.equal(plans.isEnough, true)
})

test('request-plans: the bound of runs is shared by all partitions, and each gets one', async () => {
  const view = await viewOf(50)
  assert.deepEqual(runCounts(new RequestPlans(view, ask([0, 0, 0]), { ...limits, runsMax: 20 })), [18, 1, 1])
  assert.deepEqual(runCounts(new RequestPlans(view, ask([500, 0, 0]), { ...limits, runsMax: 20 })), [0, 19, 1])
  assert.deepEqual(runCounts(new RequestPlans(view, ask([0, 0, 0]), { ...limits, runsMax: 1 })), [1, 1, 1])
})

test('request-plans: the whole rest of a partition is not cut, though it takes all runs there may be', async () => {
  const view = await viewOf(20, 1)
  const plans = new RequestPlans(view, ask([0], { minBytes: 1_000_000 }), { ...limits, runsMax: 20 })
  assert.deepEqual(runCounts(plans), [20])
  assert.equal(plans.isEnough, false)
})

test('request-plans: far behind the tail, and only there, more is planned to be read ahead', async () => {
  const view = await viewOf(50, 1)
  const ahead = { ...limits, chunksAtTail: 20, aheadBytes: 5 * BATCH }
  assert.deepEqual(runCounts(new RequestPlans(view, ask([0], { maxBytes: 2 * BATCH }), ahead)), [7])
  assert.deepEqual(runCounts(new RequestPlans(view, ask([400], { maxBytes: 2 * BATCH }), ahead)), [2])
})

test('request-plans: what the view may not know yet is doubtful, a wrong epoch is not', async () => {
  const view = await viewOf(1)
  const planned = (request: PlanRequest): readonly [number, boolean] => {
    const plans = new RequestPlans(view, request, limits)
    assert.equal(plans.isEnough, true)
    return [plans.response.partitions[0]!.errorCode, plans.isDoubtful]
  }
  assert.deepEqual(planned(ask([11])), [KAFKA_ERROR.OFFSET_OUT_OF_RANGE, true])
  assert.deepEqual(planned(ask([-1])), [KAFKA_ERROR.OFFSET_OUT_OF_RANGE, true])
  const [asked] = ask([0]).partitions
  assert.deepEqual(planned(ask([], { partitions: [{ ...asked!, partition: 9 }] })), [KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION, true])
  assert.deepEqual(planned(ask([], { partitions: [{ ...asked!, currentLeaderEpoch: 1 }] })), [KAFKA_ERROR.UNKNOWN_LEADER_EPOCH, false])
})

test('request-plans: looking at what has news gives what looking at all gives', async () => {
  const rng = new Rng(7)
  const view = await viewOf(1, 6)
  const request = ask([10, 0, 10, 10, 5, 10], { minBytes: 2_000 })
  const partial = new RequestPlans(view, request, limits)
  for (let n = 0; n < 20; n++) {
    const localIds = [rng.below(6), rng.below(6)]
    await view.commit(...localIds.map((localId) => [localId, batch] as const))
    partial.lookAt(localIds)
    const whole = new RequestPlans(view, request, limits)
    assert.deepEqual(withoutAge(partial), withoutAge(whole))
    assert.equal(partial.isEnough, whole.isEnough)
  }
  assert.equal(partial.isEnough, true)
})
