/** Producers: each record carries the producer's name and a counter that rises by one in each partition. */
import { API } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { ProduceResponse } from '#shared/wire/api/produce.ts'
import type { ProducerKind, RecordId } from '../check/history.ts'
import { Caller, type ClientParts } from './caller.ts'
import { ConnectionLost } from './connection.ts'
import { encodeBatch, NOBODY } from './record-batch.ts'

export const REQUEST_MS = 2_500
const ANSWER_MS = 1_500
const PATIENT_ANSWER_MS = 3_500 // longer than any chunk is tried
const GRACE_MS = 1_000
const VERSIONS = [3, 5, 7, 8, 9] as const
export const IN_FLIGHT_MAX = 5

export type Target = { readonly topic: string; readonly partition: number }

export abstract class Producer {
  readonly caller: Caller
  readonly #counters = new Map<string, number>()
  #stopping = false
  /** Nothing is waiting to be sent, or to be answered. */
  done = false

  constructor(parts: ClientParts, kind: ProducerKind) {
    this.caller = new Caller(parts)
    parts.history.producers.set(parts.name, kind)
  }

  abstract run(): Promise<void>

  /** Makes no new records; what was begun goes on. */
  stop(): void {
    this.#stopping = true
  }

  get stopping(): boolean {
    return this.#stopping
  }

  pickTarget(): Target {
    const { rng, topics } = this.caller.parts
    const topic = rng.pick(topics)
    return { topic: topic.name, partition: rng.below(topic.partitionCount) }
  }

  /** Makes and notes the next records of a partition. */
  newRecords(producer: string, target: Target, count: number): RecordId[] {
    const partition = nameOf(target)
    const key = `${producer} ${partition}`
    const first = this.#counters.get(key) ?? 0
    this.#counters.set(key, first + count)
    const records = Array.from({ length: count }, (_, i) => ({ producer, counter: first + i }))
    for (const record of records) this.caller.parts.history.add({ kind: 'sent', partition, record })
    return records
  }

  noteAck(target: Target, records: readonly RecordId[], baseOffset: number): void {
    const partition = nameOf(target)
    const { history } = this.caller.parts
    records.forEach((record, i) => history.add({ kind: 'acked', partition, record, offset: baseOffset + i }))
  }

  /** One batch to one partition. @returns the partition's part of the answer. @throws ConnectionLost */
  async produce(
    target: Target, records: Uint8Array,
    call: (request: Parameters<typeof this.caller.call>) => Promise<unknown>, timeoutMs = ANSWER_MS
  ): Promise<{ errorCode: number; baseOffset: number }> {
    const { rng } = this.caller.parts
    const request = {
      transactionalId: null, acks: rng.below(4) === 0 ? 1 : -1, timeoutMs,
      topicData: [{ name: target.topic, partitionData: [{ index: target.partition, records }] }]
    }
    const response = await call([API.produce, rng.pick(VERSIONS), request, timeoutMs + GRACE_MS]) as ProduceResponse
    const answer = response.responses[0]?.partitionResponses[0]
    if (answer === undefined) throw new Error('an answer without the partition that was asked')
    return answer
  }
}

export function nameOf({ topic, partition }: Target): string {
  return `${topic}/${partition}`
}

/** One batch at a time, again and again until it is acked. */
export class PlainProducer extends Producer {
  constructor(parts: ClientParts) {
    super(parts, 'plain')
  }

  async run(): Promise<void> {
    while (!this.stopping) {
      await this.writeOnce(this.pickTarget())
      await this.caller.pause(100)
    }
    this.done = true
  }

  async writeOnce(target: Target): Promise<void> {
    const { rng, name, nowMs } = this.caller.parts
    const records = this.newRecords(name, target, 1 + rng.below(3))
    const batch = encodeBatch(records, NOBODY, nowMs(), this.caller.padding())
    await this.caller.until(async () => {
      const { errorCode, baseOffset } = await this.produce(target, batch, (args) => this.caller.call(...args))
      if (errorCode === 0) this.noteAck(target, records, baseOffset)
      return errorCode === 0 || !this.caller.again(errorCode, 'Produce') ? true : null
    })
  }
}

/**
 * Several batches in flight on one connection, none ever sent twice; each connection counts as a producer of its own.
 */
export class PipelinedProducer extends Producer {
  #session = 0

  constructor(parts: ClientParts) {
    super(parts, 'pipelined')
  }

  async run(): Promise<void> {
    while (!this.stopping) {
      await this.#runSession(`${this.caller.parts.name}.${++this.#session}`).catch((error: unknown) => {
        if (!(error instanceof ConnectionLost)) throw error
      })
      await this.caller.pause(300)
    }
    this.done = true
  }

  async #runSession(producer: string): Promise<void> {
    const { rng, history, nowMs } = this.caller.parts
    const connection = await this.caller.connection()
    history.producers.set(producer, 'pipelined')
    const flying = new Set<Promise<void>>()
    while (!this.stopping && !connection.lost) {
      if (flying.size === IN_FLIGHT_MAX) {
        await Promise.race(flying)
        continue
      }
      const target = this.pickTarget()
      const records = this.newRecords(producer, target, 1 + rng.below(3))
      const batch = encodeBatch(records, NOBODY, nowMs(), this.caller.padding())
      const answered = this.produce(
        target, batch, (args) => connection.call(...args), PATIENT_ANSWER_MS
      ).then(({ errorCode, baseOffset }) => {
        if (errorCode === 0) return this.noteAck(target, records, baseOffset)
        this.caller.again(errorCode, 'Produce')
        const kind = errorCode === KAFKA_ERROR.KAFKA_STORAGE_ERROR ? 'given up' : 'failed'
        for (const record of records) history.add({ kind, partition: nameOf(target), record })
      }, () => {}).finally(() => { flying.delete(answered) })
      flying.add(answered)
      await this.caller.pause(80)
    }
    await Promise.all(flying)
    if (rng.below(2) === 0) this.caller.disconnect()
  }
}

/** What an idempotent producer does with OUT_OF_ORDER_SEQUENCE_NUMBER: again, unless the batch was the next in line. */
export function isOutOfOrder(errorCode: number): boolean {
  return errorCode === KAFKA_ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER
}
