/**
 * Asks for ends, and commits and fetches offsets of a group of its own, now in one zone, now in another: what one knows
 * the other must. A commit without a good answer may still happen at any later time: what comes next is another
 * group's. And looks at the beginning of partitions, which any reader can tell of, however far behind it is.
 */
import { Caller, type ClientParts } from './caller.ts'
import { fetchOne } from './fetch-one.ts'
import { commitOffsets, fetchOffsets } from './offsets.ts'
import { nameOf, type Target } from './producer.ts'
import { allTargets, askEnd } from './reader.ts'

const REST_MS = 100

export class Asker {
  readonly caller: Caller
  readonly #abroad: Caller
  #stopping = false
  #groups = 1
  #offset = 0

  constructor(parts: ClientParts) {
    this.caller = new Caller(parts)
    this.#abroad = new Caller({ ...parts, rng: parts.rng.fork(), asks: 'anywhere' })
  }

  async run(): Promise<void> {
    const { rng, topics } = this.caller.parts
    while (!this.#stopping) {
      const topic = rng.pick(topics)
      const target = { topic: topic.name, partition: rng.below(topic.partitionCount) }
      const what = rng.below(4)
      await this.caller.until(async () => {
        if (what === 0) return askEnd(this.#either, target)
        if (what === 1) return this.#look()
        return what === 2 ? this.#commit() : this.#fetch()
      }, () => !this.#stopping)
      if (rng.below(10) === 0) this.caller.disconnect()
      if (rng.below(3) === 0) this.#abroad.disconnect()
      await this.caller.pause(REST_MS)
    }
  }

  stop(): void {
    this.#stopping = true
  }

  get #either(): Caller {
    return this.caller.parts.rng.below(2) === 0 ? this.caller : this.#abroad
  }

  get #group(): string {
    return `${this.caller.parts.name}.${this.#groups}`
  }

  get #target(): Target {
    return { topic: this.caller.parts.topics[0]!.name, partition: 0 }
  }

  async #look(): Promise<true | null> {
    const connection = await this.caller.connection()
    for (const target of allTargets(this.caller.parts.topics)) {
      const { errorCode, highWatermark } = await fetchOne(connection, target, 0, 0)
      if (errorCode !== 0) return this.caller.again(errorCode, `Fetch of ${nameOf(target)}@0`) ? null : true
      this.caller.noteHighWatermark(nameOf(target), highWatermark)
    }
    return true
  }

  async #commit(): Promise<true | null> {
    const owner = { group: this.#group, generation: -1, memberId: '' }
    this.#groups += 1 // unless all goes well
    const errorCode = await commitOffsets(this.#either, owner, [{ target: this.#target, offset: ++this.#offset }])
    if (errorCode !== 0) return this.caller.again(errorCode, `OffsetCommit of ${nameOf(this.#target)}`) ? null : true
    this.#groups -= 1
    return true
  }

  async #fetch(): Promise<true | null> {
    const found = await fetchOffsets(this.#either, this.#group, [this.#target])
    return typeof found === 'number' && this.caller.again(found, 'OffsetFetch') ? null : true
  }
}
