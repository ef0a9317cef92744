/**
 * Asks in a zone, from one moment on, when each of many partitions can be written, and read, again: one record into
 * each, asked for until it is acknowledged, then read until it is there; beside it, what was there before is read.
 */
import type { Network } from '#shared/runtime/network.ts'
import type { Timer } from '#shared/runtime/runtime.ts'
import { API, type Api } from '#shared/wire/api-registry.ts'
import { isKafkaErrorRetriable, kafkaErrorName } from '#shared/wire/error-codes.ts'
import type { FinalLog, History, RecordId } from '#test/simulation/check/history.ts'
import { type Address, Connection, ConnectionLost } from '#test/simulation/client/connection.ts'
import { decodeBatches, encodeBatch, NOBODY } from '#test/simulation/client/record-batch.ts'
import { pause } from '../kill-moments.ts'

const CONNECT_MS = 500
const ANSWER_MS = 10_000 // of the server
const REQUEST_MS = 12_000
const AGAIN_MS = 20
const FETCH_WAIT_MS = 200
const LATEST = -1
const FETCH_BYTES = 1_024 // of a partition: its few records

export type ProberParts = {
  readonly name: string
  readonly addresses: readonly Address[] // gateways, those of its own zone first
  readonly topic: string
  readonly partitionCount: number
  readonly network: Network
  readonly timer: Timer
  readonly history: History
  readonly isNoted: boolean // false: too many records to remember each
}

/** Milliseconds from the moment on. */
export type Probe = { readonly writtenMs: number; readonly readMs: number; readonly tailReadMs: number }

class Line {
  readonly #parts: ProberParts
  #connection: Connection | null = null
  #next = 0

  constructor(parts: ProberParts) {
    this.#parts = parts
  }

  /** @throws ConnectionLost: the next call goes to the next gateway. */
  async call<Request, Response>(api: Api<Request, Response>, version: number, body: Request): Promise<Response> {
    const { name, addresses, network, timer, history } = this.#parts
    try {
      if (this.#connection === null || this.#connection.lost) {
        const connection = new Connection(timer, name, (what) => { history.violation('answers come in order', what) })
        await connection.open(network, addresses[this.#next % addresses.length]!, CONNECT_MS)
        this.#connection = connection
      }
      return await this.#connection.call(api, version, body, REQUEST_MS)
    } catch (error) {
      if (error instanceof ConnectionLost) this.#next += 1
      throw error
    }
  }

  close(): void {
    this.#connection?.close()
  }
}

export class Prober {
  readonly #parts: ProberParts
  readonly #newest: number[] // offset of the newest record that was acknowledged in each partition
  #round = 0

  constructor(parts: ProberParts) {
    this.#parts = parts
    this.#newest = Array.from({ length: parts.partitionCount }, () => 0)
    parts.history.producers.set(parts.name, 'plain')
  }

  /** Rejects when `signal` says so. */
  async probe(fromMs: number, signal: AbortSignal): Promise<Probe> {
    const before = [...this.#newest]
    const since = (): number => performance.now() - fromMs
    const read = this.#round === 0 ? Promise.resolve(0) : this.#readAt(before, signal).then(since)
    const written = this.writeAll(signal).then(since)
    const [readMs, writtenMs] = await Promise.all([read, written])
    await this.#readAt(this.#newest, signal)
    return { writtenMs, readMs, tailReadMs: since() }
  }

  /** All that is in the partitions, read from their starts to their ends. */
  async readAll(signal: AbortSignal): Promise<FinalLog[]> {
    const { name, topic, partitionCount } = this.#parts
    const ends = new Map<number, number>()
    await this.#again(signal, async (line) => {
      const asked = [...Array(partitionCount).keys()].filter((partition) => !ends.has(partition))
      const { topics } = await line.call(API.listOffsets, 6, {
        replicaId: -1, isolationLevel: 0, timeoutMs: ANSWER_MS, topics: [{ name: topic, partitions: asked.map(
          (partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp: LATEST })
        ) }]
      })
      for (const { partitionIndex, errorCode, offset } of topics[0]?.partitions ?? [])
        if (this.#isGood(errorCode, `end of ${partitionIndex}`)) ends.set(partitionIndex, offset)
      return ends.size === partitionCount
    })
    const logs = Array.from({ length: partitionCount }, (_, partition) =>
      ({ reader: name, partition: `${topic}/${partition}`, records: [] as FinalLog['records'][number][] }))
    const positions = logs.map(() => 0)
    const missing = new Set([...ends].filter(([, end]) => end > 0).map(([partition]) => partition))
    await this.#again(signal, async (line) => {
      for (const [partition, records] of await this.#fetch(line, missing, positions))
        for (const { offset, record } of records) {
          if (offset < positions[partition]!) continue
          logs[partition]!.records.push({ offset, record })
          positions[partition] = offset + 1
          if (offset + 1 >= ends.get(partition)!) missing.delete(partition)
        }
      return missing.size === 0
    })
    return logs
  }

  /** One record into each partition. */
  async writeAll(signal: AbortSignal): Promise<void> {
    const { topic, name, partitionCount, history, isNoted } = this.#parts
    const record: RecordId = { producer: name, counter: this.#round++ }
    const records = encodeBatch([record], NOBODY, Date.now(), 0)
    const missing = new Set(Array(partitionCount).keys())
    const sent = (partition: number): void => {
      history.add({ kind: 'sent', partition: `${topic}/${partition}`, record })
    }
    if (isNoted) missing.forEach(sent)
    await this.#again(signal, async (line) => {
      const { responses } = await line.call(API.produce, 9, {
        transactionalId: null, acks: -1, timeoutMs: ANSWER_MS,
        topicData: [{ name: topic, partitionData: [...missing].map((index) => ({ index, records })) }]
      })
      for (const { index, errorCode, baseOffset } of responses[0]?.partitionResponses ?? []) {
        if (!this.#isGood(errorCode, `produce to ${index}`)) continue
        missing.delete(index)
        this.#newest[index] = baseOffset
        if (isNoted) history.add({ kind: 'acked', partition: `${topic}/${index}`, record, offset: baseOffset })
      }
      return missing.size === 0
    })
  }

  /** Until each partition gave the record at its offset. */
  async #readAt(offsets: readonly number[], signal: AbortSignal): Promise<void> {
    const missing = new Set(offsets.keys())
    await this.#again(signal, async (line) => {
      for (const [partition, records] of await this.#fetch(line, missing, offsets))
        if (records.some(({ offset }) => offset === offsets[partition])) missing.delete(partition)
      return missing.size === 0
    })
  }

  /** One fetch of some partitions. @throws ConnectionLost */
  async #fetch(
    line: Line, partitions: ReadonlySet<number>, offsets: readonly number[]
  ): Promise<[partition: number, ReturnType<typeof decodeBatches>][]> {
    const { topic, partitionCount, history } = this.#parts
    const answer = await line.call(API.fetch, 11, {
      clusterId: null, replicaId: -1, maxWaitMs: FETCH_WAIT_MS, minBytes: 1, maxBytes: partitionCount * FETCH_BYTES,
      isolationLevel: 0, sessionId: 0, sessionEpoch: -1, forgottenTopicsData: [], rackId: '', topics: [{
        topic, partitions: [...partitions].map((partition) => ({
          partition, currentLeaderEpoch: -1, fetchOffset: offsets[partition]!, lastFetchedEpoch: -1, logStartOffset: -1,
          partitionMaxBytes: FETCH_BYTES
        }))
      }]
    })
    const found: [number, ReturnType<typeof decodeBatches>][] = []
    this.#isGood(answer.errorCode, 'fetch')
    for (const { partitionIndex, errorCode, records, highWatermark } of answer.responses[0]?.partitions ?? []) {
      const offset = offsets[partitionIndex]!
      if (!this.#isGood(errorCode, `fetch of ${partitionIndex}@${offset}`)) continue
      if (highWatermark < offset) {
        const what = `high watermark ${highWatermark} of ${topic}/${partitionIndex}, asked was ${offset}`
        history.violation('no client is sent back', what)
      }
      const bytes = records instanceof Uint8Array || records === null ? records : Buffer.concat([...records])
      if (bytes !== null) found.push([partitionIndex, decodeBatches(bytes)])
    }
    return found
  }

  async #again(signal: AbortSignal, attempt: (line: Line) => Promise<boolean>): Promise<void> {
    const line = new Line(this.#parts)
    try {
      for (;;) {
        signal.throwIfAborted()
        const done = await attempt(line).catch((error: unknown) => {
          if (error instanceof ConnectionLost) return false
          throw error
        })
        if (done) return
        await pause(AGAIN_MS)
      }
    } finally {
      line.close()
    }
  }

  #isGood(errorCode: number, asked: string): boolean {
    if (errorCode === 0) return true
    if (!isKafkaErrorRetriable(errorCode)) {
      const { name, history } = this.#parts
      history.violation('clients get answers they can use', `${name}: ${kafkaErrorName(errorCode)} to ${asked}`)
    }
    return false
  }
}
