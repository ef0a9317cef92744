/** Reads a topic for `zonewise consume`: a consumer that goes on where it was, whatever becomes of its connections. */
import { once } from 'node:events'
import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs'
import { explain } from '#shared/errors/zonewise-error.ts'
import { EXIT, type Terminal } from './command.ts'
import { kafkaFailure } from './kafka-client.ts'
import { newProgress } from './progress.ts'

const NEWLINE = Buffer.from('\n')

export type Plan = {
  readonly topic: string
  readonly fromBeginning: boolean
  readonly messagesMax: number
  readonly groupId: string
  readonly ownGroup: boolean // made for this run, removed afterwards, commits nothing
  readonly partition: number | null
  readonly exitAtEnd: boolean
  readonly keySeparator: Buffer | null
}

/** Where each partition is read from and, for `--exit-at-end`, up to where: empty where nothing is left. */
export type Reach = { readonly positions: Map<number, number>; readonly ends: Map<number, number> | null }

/** Reads until a bound of the plan is reached, nobody wants more, or the consumer fails for good. */
export class Reading {
  readonly #consumer: Consumer
  readonly #plan: Plan
  readonly #reach: Reach
  readonly #terminal: Terminal
  readonly #over = Promise.withResolvers<number>() // the exit code
  #isOver = false
  #isLost = false
  #left: number

  constructor(consumer: Consumer, plan: Plan, reach: Reach, terminal: Terminal) {
    this.#consumer = consumer
    this.#plan = plan
    this.#reach = reach
    this.#terminal = terminal
    this.#left = plan.messagesMax
  }

  async run(): Promise<number> {
    const { topic, fromBeginning, ownGroup } = this.#plan
    const consumer = this.#consumer
    const progress = newProgress(this.#terminal, 'records read', this.#terminal.stdout.isTTY === true)
    const offSignal = this.#terminal.onSignal(() => {
      if (this.#isOver) this.#terminal.exit(EXIT.interrupted)
      this.#finish(EXIT.interrupted)
    })
    this.#terminal.onOutputClosed(() => { this.#finish(EXIT.ok) })
    consumer.on(consumer.events.GROUP_JOIN, () => { this.#joined() })
    consumer.on(consumer.events.CRASH, ({ payload }) => { this.#crashed(payload.error, payload.restart) })
    try {
      // Partitions that are there are read from `positions`, those that come later from their beginning.
      await consumer.subscribe({ topics: [topic], fromBeginning: fromBeginning || ownGroup })
      const eachBatch = async (payload: EachBatchPayload): Promise<void> => {
        progress.add(await this.#take(payload))
      }
      const failed = consumer.run({ autoCommit: false, eachBatch }).then(() => this.#over.promise)
      return await Promise.race([failed, this.#over.promise])
    } finally {
      offSignal()
      progress.end()
    }
  }

  #finish(code: number): void {
    this.#isOver = true
    this.#over.resolve(code)
  }

  /** A group of our own has committed nothing, so each life of the consumer is told where to go on. */
  #joined(): void {
    if (this.#isLost) this.#terminal.stderr.write('zonewise: the cluster is back, reading on\n')
    this.#isLost = false
    if (!this.#plan.ownGroup) return
    const { topic } = this.#plan
    for (const [partition, offset] of this.#reach.positions) {
      this.#consumer.seek({ topic, partition, offset: String(offset) })
    }
  }

  #crashed(error: Error, restart: boolean): void {
    const failure = kafkaFailure(error)
    if (!restart) this.#over.reject(failure)
    else if (!this.#isLost) this.#terminal.stderr.write(`zonewise: ${explain(failure)} Trying again.\n`)
    this.#isLost = true
  }

  /** @returns the number of records written. */
  async #take({ batch, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<number> {
    if (this.#isOver || !isRunning() || isStale()) return 0
    const { topic, partition } = batch
    const taken = batch.messages.slice(0, Math.min(this.#left, batch.messages.length))
    await writeRecords(this.#terminal, taken, this.#plan.keySeparator)
    if (this.#isOver) return taken.length
    this.#left -= taken.length
    const whole = taken.length === batch.messages.length
    const nextOffset = whole ? Number(batch.lastOffset()) + 1 : Number(taken.at(-1)!.offset) + 1
    const { positions, ends } = this.#reach
    positions.set(partition, nextOffset)
    if (!this.#plan.ownGroup) await this.#consumer.commitOffsets([{ topic, partition, offset: String(nextOffset) }])
    if (nextOffset >= (ends?.get(partition) ?? Infinity)) ends?.delete(partition)
    if (this.#left === 0 || ends?.size === 0) this.#finish(EXIT.ok)
    else await heartbeat()
    return taken.length
  }
}

/** One write for the batch; waits until whoever reads our output has room, or is gone. */
async function writeRecords(
  { stdout }: Terminal, messages: readonly KafkaMessage[], keySeparator: Buffer | null
): Promise<void> {
  const parts: Uint8Array[] = []
  for (const { key, value } of messages) {
    if (keySeparator !== null) parts.push(key ?? Buffer.alloc(0), keySeparator)
    if (value !== null) parts.push(value)
    parts.push(NEWLINE)
  }
  if (parts.length > 0 && !stdout.write(Buffer.concat(parts))) await once(stdout, 'drain').catch(() => {})
}
