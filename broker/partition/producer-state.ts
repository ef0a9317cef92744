/**
 * Idempotence of one producer in one partition: epoch and the last five batches (PROTOCOL 21-24). Pure; values are
 * immutable, so that a decision can try them out without touching the state.
 */
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'

export const PRODUCER_BATCHES = 5
/** A producer silent for so long (entry time) is forgotten; fixed, because every copy of a shard must agree. */
export const PRODUCER_EXPIRY_MS = 86_400_000

export type ProducerBatch =
  { readonly baseSequence: number; readonly lastSequence: number; readonly baseOffset: number }
export type ProducerState = {
  readonly epoch: number
  readonly lastMs: number // entry time of the newest batch
  readonly batches: readonly ProducerBatch[] // oldest first, at most PRODUCER_BATCHES
}

export type SequenceVerdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'duplicate'; readonly baseOffset: number }
  | { readonly kind: 'reject'; readonly errorCode: number }

const ACCEPT: SequenceVerdict = { kind: 'accept' }

/** Sequences wrap from 2^31 - 1 to 0. */
export function addSequence(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31
}

/**
 * `mayBeForgotten`: the producer may have had a state that is lost, so a first sequence above 0 is no proof of a gap.
 */
export function judgeSequence(
  producer: ProducerState | undefined,
  batch: { readonly epoch: number; readonly baseSequence: number; readonly recordCount: number },
  mayBeForgotten: boolean
): SequenceVerdict {
  const { epoch, baseSequence, recordCount } = batch
  const outOfOrder: SequenceVerdict = { kind: 'reject', errorCode: KAFKA_ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER }
  if (producer === undefined) return baseSequence === 0 || mayBeForgotten ? ACCEPT : outOfOrder
  if (epoch < producer.epoch) return { kind: 'reject', errorCode: KAFKA_ERROR.INVALID_PRODUCER_EPOCH }
  if (epoch > producer.epoch) return baseSequence === 0 ? ACCEPT : outOfOrder
  const lastSequence = addSequence(baseSequence, recordCount - 1)
  for (const known of producer.batches)
    if (known.baseSequence === baseSequence && known.lastSequence === lastSequence)
      return { kind: 'duplicate', baseOffset: known.baseOffset }
  const newest = producer.batches[producer.batches.length - 1]
  return newest === undefined || addSequence(newest.lastSequence, 1) === baseSequence ? ACCEPT : outOfOrder
}

/** The producer's state after an accepted batch. */
export function withBatch(
  producer: ProducerState | undefined,
  batch: {
    readonly epoch: number; readonly baseSequence: number; readonly recordCount: number; readonly baseOffset: number
  },
  timeMs: number
): ProducerState {
  const { epoch, baseSequence, recordCount, baseOffset } = batch
  const kept = producer === undefined || producer.epoch !== epoch ? [] : producer.batches.slice(1 - PRODUCER_BATCHES)
  const newest = { baseSequence, lastSequence: addSequence(baseSequence, recordCount - 1), baseOffset }
  return { epoch, lastMs: timeMs, batches: [...kept, newest] }
}
