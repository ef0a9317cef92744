/**
 * An idempotent producer as Kafka's clients are: up to five batches of a partition in flight; after a failure the
 * oldest goes again alone until it is acked, with the same sequence, over whatever connection there is. A server
 * remembers five batches, so none goes out that is five or more behind the oldest not acked, even if those in between
 * are.
 */
import { API } from '#shared/wire/api-registry.ts'
import type { RecordId } from '../check/history.ts'
import type { ClientParts } from './caller.ts'
import { ConnectionLost } from './connection.ts'
import { IN_FLIGHT_MAX, isOutOfOrder, nameOf, Producer, REQUEST_MS, type Target } from './producer.ts'
import { encodeBatch } from './record-batch.ts'

type Batch = {
  readonly number: number; readonly records: readonly RecordId[]; readonly bytes: Uint8Array;
  state: 'new' | 'flying' | 'again'
}
type Line = {
  readonly target: Target; nextNumber: number; nextSequence: number; resting: boolean
  readonly batches: Batch[] // oldest first
}

const LINE_MAX = 8 // batches waiting in a partition: then the producer rests
const REST_MS = 150

export class IdempotentProducer extends Producer {
  readonly #lines = new Map<string, Line>()
  #producerId = -1
  #producerEpoch = -1

  constructor(parts: ClientParts) {
    super(parts, 'idempotent')
  }

  async run(): Promise<void> {
    await this.caller.until(() => this.#begin(), () => !this.stopping)
    while (!this.stopping) {
      this.#make()
      await this.caller.pause(80)
    }
    while ([...this.#lines.values()].some(({ batches }) => batches.length > 0)) await this.caller.pause(50)
    this.done = true
  }

  async #begin(): Promise<true | null> {
    const request = { transactionalId: null, transactionTimeoutMs: 60_000, producerId: -1, producerEpoch: -1 }
    const { errorCode, producerId, producerEpoch } = await this.caller.call(
      API.initProducerId, this.caller.parts.rng.pick([0, 1, 2, 3, 4]), request, REQUEST_MS
    )
    if (errorCode !== 0) return this.caller.again(errorCode, 'InitProducerId') ? null : true
    this.#producerId = producerId
    this.#producerEpoch = producerEpoch
    return true
  }

  #make(): void {
    if (this.#producerId === -1) return
    const { rng, name, nowMs } = this.caller.parts
    const target = this.pickTarget()
    let line = this.#lines.get(nameOf(target))
    if (line === undefined) {
      line = { target, nextNumber: 0, nextSequence: 0, batches: [], resting: false }
      this.#lines.set(nameOf(target), line)
    }
    if (line.batches.length >= LINE_MAX) return
    const records = this.newRecords(name, target, 1 + rng.below(3))
    const owner = { producerId: this.#producerId, producerEpoch: this.#producerEpoch, baseSequence: line.nextSequence }
    line.nextSequence += records.length
    const bytes = encodeBatch(records, owner, nowMs(), this.caller.padding())
    line.batches.push({ number: line.nextNumber++, records, bytes, state: 'new' })
    this.#send(line)
  }

  #send(line: Line): void {
    if (line.resting) return
    const { batches } = line
    if (batches.some(({ state }) => state === 'again')) {
      if (batches[0]!.state === 'again') void this.#fly(line, batches[0]!)
      return
    }
    for (const batch of batches)
      if (batch.state === 'new' && batch.number < batches[0]!.number + IN_FLIGHT_MAX) void this.#fly(line, batch)
  }

  async #fly(line: Line, batch: Batch): Promise<void> {
    const asked = `Produce of ${batch.records[0]!.counter} in ${nameOf(line.target)}`
    batch.state = 'flying'
    try {
      const { errorCode, baseOffset } = await this.produce(
        line.target, batch.bytes, (args) => this.caller.call(...args)
      )
      const oldest = line.batches[0] === batch
      if (errorCode === 0) this.#acked(line, batch, baseOffset)
      else if ((isOutOfOrder(errorCode) && !oldest) || this.caller.again(errorCode, asked)) batch.state = 'again'
      else line.batches.splice(line.batches.indexOf(batch), 1) // it is in the history
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      batch.state = 'again'
    }
    if (batch.state === 'again') await this.#rest(line)
    this.#send(line)
  }

  #acked(line: Line, batch: Batch, baseOffset: number): void {
    this.noteAck(line.target, batch.records, baseOffset)
    line.batches.splice(line.batches.indexOf(batch), 1)
  }

  async #rest(line: Line): Promise<void> {
    line.resting = true
    await this.caller.pause(REST_MS)
    line.resting = false
  }
}
