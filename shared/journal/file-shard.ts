/** One shard of a file journal: its index, its fence, its readers. */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { Chance } from '../runtime/runtime.ts'
import { GroupIndex } from './group-index.ts'
import type { GroupReader } from './group-reader.ts'
import {
  type AppendOutcome, comparePositions, type JournalEnd, type JournalGroup, type Position, POSITION_NONE, type ShardJournal,
  tailLost
} from './journal.ts'
import type { LogWriter } from './log-writer.ts'
import { oneAppend } from './one-append.ts'
import type { Damage, FoundGroup, FoundShard } from './recovery.ts'
import { NONCE_BYTES, runningCrc } from './running-crc.ts'
import { RECORD, type RecordHeader, SEGMENT } from './segment-format.ts'
import type { Segment } from './segment-files.ts'

const NO_BODY = new Uint8Array(0)

export type FileShardParts = {
  readonly writer: LogWriter
  readonly reader: GroupReader
  readonly chance: Chance
  readonly segments: ReadonlyMap<number, Segment>
  readonly onTrim: () => void
}

export class FileShard {
  readonly #shard: number
  readonly #parts: FileShardParts
  readonly #index = new GroupIndex()
  readonly #listeners = new Set<(group: JournalGroup) => void>()
  #writing: Promise<unknown> | null = null // the one record of this shard that waits for its frame
  #damage: ZonewiseError | null = null
  #hole: { readonly below: Position; readonly damage: Damage } | null = null // groups up to `below` may be missing for damage

  constructor(shard: number, parts: FileShardParts) {
    this.#shard = shard
    this.#parts = parts
  }

  /**
   * Takes over what recovery found beside `damage` (null: there is none).
   * @returns whether something that may still be needed is missing or bad.
   */
  load(found: FoundShard | undefined, damage: Damage | null): boolean {
    if (found === undefined) return false
    const groups = stillNeeded(found)
    const first = groups[0]
    if (first === undefined) return false
    this.#index.startAfter({ position: first.after, crc: first.afterCrc })
    for (const { position, crc, segment, filePosition, bodyBytes } of groups) {
      this.#index.push(position, crc, { segment, filePosition, bodyBytes })
      this.#parts.segments.get(segment)!.liveBytes += SEGMENT.recordHeaderBytes + bodyBytes
    }
    if (damage === null) return false
    const isWhole = comparePositions(first.after, found.trimmedTo ?? POSITION_NONE) <= 0
    if (!isWhole) this.#hole = { below: first.after, damage }
    return !isWhole || groups.some(({ bad }) => bad)
  }

  /** Its newest groups may be lost: from here on it says so, and nothing else. */
  quarantine(damage: ZonewiseError): void {
    this.#damage = damage
  }

  handle(): ShardJournal {
    return {
      lead: (above, known = POSITION_NONE) => this.#lead(above, known),
      append: oneAppend((after, body) => this.#append(after, body)),
      end: async () => {
        this.#assertWorking()
        return this.#index.end
      },
      read: (after, bounds) => this.#read(after, bounds),
      tail: (onGroup) => {
        const listener = (group: JournalGroup): void => { onGroup(group) } // the same function may listen twice
        this.#listeners.add(listener)
        return () => { this.#listeners.delete(listener) }
      },
      trim: async (epoch, to) => { this.#trim(epoch, to) }
    }
  }

  stop(): void {
    this.#listeners.clear()
  }

  /** Writes the groups that are still needed of `segment` again, at the log's end. */
  async copyForward(segment: Segment): Promise<void> {
    let copies: Promise<void>[] = []
    for (let ordinal = this.#index.firstOrdinal; ordinal < this.#index.endOrdinal; ordinal++) {
      if (ordinal < this.#index.firstOrdinal || this.#index.placeOf(ordinal).segment !== segment.number) continue
      copies.push(this.#copy(ordinal, segment))
      if (copies.length < 64) continue // bounds what is in memory
      await Promise.all(copies)
      copies = []
    }
    await Promise.all(copies)
  }

  #assertWorking(): void {
    if (this.#damage !== null) throw this.#damage
    if (this.#parts.writer.failure !== null) throw this.#parts.writer.failure
  }

  async #lead(above: number, known: Position): Promise<JournalEnd> {
    if (this.#damage !== null) throw this.#damage
    while (this.#writing !== null) await this.#writing
    const { position: end } = this.#index.end
    if (comparePositions(end, known) < 0) throw tailLost(this.#shard, end, known)
    const epoch = Math.max(above, end.epoch) + 1
    return this.#write({ epoch, seq: 0 }, [this.#parts.chance.bytes(NONCE_BYTES)])
  }

  async #append(after: Position, body: readonly Uint8Array[]): Promise<AppendOutcome> {
    if (this.#damage !== null) throw this.#damage
    while (this.#writing !== null) await this.#writing
    const position = { epoch: after.epoch, seq: after.seq + 1 }
    if (comparePositions(this.#index.end.position, after) === 0) {
      const { crc } = await this.#write(position, body)
      return { kind: 'durable', position, crc }
    }
    this.#assertWorking()
    const ordinal = this.#index.above(after)
    const held = ordinal < this.#index.endOrdinal && comparePositions(this.#index.positionOf(ordinal), position) === 0
    if (held) {
      const crc = this.#index.crcOf(ordinal)
      const bytes = await this.#body(ordinal)
      if (Buffer.compare(bytes, Buffer.concat(body)) === 0) return { kind: 'durable', position, crc }
    }
    return { kind: 'fenced', end: this.#index.end }
  }

  #write(position: Position, body: readonly Uint8Array[]): Promise<JournalEnd> {
    const { position: after, crc: afterCrc } = this.#index.end
    const crc = runningCrc(afterCrc, position, body)
    const header: RecordHeader = { kind: RECORD.group, shard: this.#shard, position, after, afterCrc, crc, bodyBytes: bytesOf(body) }
    const written = new Promise<JournalEnd>((resolve, reject) => {
      const durable = (segment: Segment, filePosition: number, bytes: Uint8Array): void => {
        this.#writing = null
        this.#parts.reader.keep(segment, filePosition, bytes)
        this.#index.push(position, crc, { segment: segment.number, filePosition, bodyBytes: header.bodyBytes })
        segment.liveBytes += SEGMENT.recordHeaderBytes + header.bodyBytes
        if (this.#listeners.size > 0) {
          const group = { position, after, afterCrc, crc, body: position.seq === 0 ? NO_BODY : bytes }
          for (const listener of this.#listeners) listener(group)
        }
        resolve({ position, crc })
      }
      const failed = (error: ZonewiseError): void => {
        this.#writing = null
        reject(error)
      }
      this.#parts.writer.add({ header, body, durable, failed })
    })
    if (this.#parts.writer.failure === null) this.#writing = written.catch(() => {})
    return written
  }

  async #read(after: Position, { groupsMax, bytesMax }: { groupsMax: number; bytesMax: number }): Promise<JournalGroup[]> {
    this.#assertWorking()
    if (this.#hole !== null && comparePositions(after, this.#hole.below) < 0) {
      const { file, position } = this.#hole.damage
      throw new ZonewiseError('JOURNAL_CORRUPT', 'groups of the shard are lost', { file, position, shard: this.#shard })
    }
    const index = this.#index
    const pending: Promise<JournalGroup>[] = []
    let bytes = 0
    // All places are taken down, and their segments held, before the first wait: a trim may come in between.
    for (let ordinal = index.above(after); ordinal < index.endOrdinal && pending.length < groupsMax; ordinal++) {
      bytes += index.placeOf(ordinal).bodyBytes
      if (pending.length > 0 && bytes > bytesMax) break
      pending.push(this.#group(ordinal))
    }
    return Promise.all(pending)
  }

  async #group(ordinal: number): Promise<JournalGroup> {
    const position = this.#index.positionOf(ordinal)
    const { position: after, crc: afterCrc } = this.#index.predecessorOf(ordinal)
    const crc = this.#index.crcOf(ordinal)
    const body = await this.#body(ordinal)
    return { position, after, afterCrc, crc, body: position.seq === 0 ? NO_BODY : body }
  }

  /** The stored bytes of a group. @throws ZonewiseError JOURNAL_CORRUPT */
  async #body(ordinal: number): Promise<Uint8Array> {
    const { segment: number, filePosition, bodyBytes } = this.#index.placeOf(ordinal)
    const segment = this.#parts.segments.get(number)!
    const found = this.#parts.reader.read(segment, filePosition, bodyBytes)
    if (found instanceof Uint8Array) return found
    const position = this.#index.positionOf(ordinal)
    const [afterCrc, crc] = [this.#index.predecessorOf(ordinal).crc, this.#index.crcOf(ordinal)]
    segment.readers += 1
    try {
      const body = await found
      if (body.byteLength === bodyBytes && runningCrc(afterCrc, position, [body]) === crc) return body
    } finally {
      segment.readers -= 1
    }
    const facts = { file: segment.path, position: filePosition, shard: this.#shard }
    throw new ZonewiseError('JOURNAL_CORRUPT', 'a journal group is damaged', facts)
  }

  #trim(epoch: number, to: Position): void {
    const index = this.#index
    if (this.#damage !== null || epoch < index.end.position.epoch) return
    const below = Math.min(index.above(to), index.endOrdinal - 1) // the newest stays
    if (below <= index.firstOrdinal) return
    const trimmedTo = index.positionOf(below - 1)
    for (let ordinal = index.firstOrdinal; ordinal < below; ordinal++) {
      const { segment, bodyBytes } = index.placeOf(ordinal)
      this.#parts.segments.get(segment)!.liveBytes -= SEGMENT.recordHeaderBytes + bodyBytes
    }
    index.dropBelow(below)
    const header: RecordHeader = {
      kind: RECORD.trim, shard: this.#shard, position: trimmedTo, after: POSITION_NONE, afterCrc: 0, crc: 0, bodyBytes: 0
    }
    // Not worth a sync of its own: a trim that is forgotten leaves groups that nobody asks for.
    this.#parts.writer.addLazily({ header, body: [], durable: () => {}, failed: () => {} })
    this.#parts.onTrim()
  }

  async #copy(ordinal: number, from: Segment): Promise<void> {
    const position = this.#index.positionOf(ordinal)
    const { position: after, crc: afterCrc } = this.#index.predecessorOf(ordinal)
    const crc = this.#index.crcOf(ordinal)
    const body = await this.#body(ordinal)
    const bodyBytes = body.byteLength
    const header: RecordHeader = { kind: RECORD.copiedGroup, shard: this.#shard, position, after, afterCrc, crc, bodyBytes }
    await new Promise<void>((resolve, reject) => {
      const durable = (to: Segment, filePosition: number): void => {
        if (ordinal >= this.#index.firstOrdinal) { // else trimmed meanwhile
          this.#index.move(ordinal, { segment: to.number, filePosition, bodyBytes })
          from.liveBytes -= SEGMENT.recordHeaderBytes + bodyBytes
          to.liveBytes += SEGMENT.recordHeaderBytes + bodyBytes
        }
        resolve()
      }
      this.#parts.writer.add({ header, body: [body], durable, failed: reject })
    })
  }
}

function bytesOf(body: readonly Uint8Array[]): number {
  let bytes = 0
  for (const chunk of body) bytes += chunk.byteLength
  return bytes
}

/**
 * The groups that count, in order: the longest chain that ends at the newest one, above the newest trim. Copies make
 * the order of frames differ from that of positions; below a trim there may be groups without their predecessors,
 * because segments went with what was between.
 */
function stillNeeded({ groups, trimmedTo }: FoundShard): FoundGroup[] {
  const isSorted = groups.every((group, at) => at === 0 || comparePositions(groups[at - 1]!.position, group.position) < 0)
  const sorted = isSorted ? groups : groups.toSorted((a, b) => comparePositions(a.position, b.position))
  let first = sorted.length - 1
  const chain: FoundGroup[] = sorted.slice(-1)
  while (--first >= 0) {
    const [group, next] = [sorted[first]!, chain.at(-1)!]
    if (comparePositions(group.position, next.position) === 0) {
      // A copy and what it was made of. The sort is stable, so the copy came first here: it outlives the older file.
      continue
    }
    if (comparePositions(group.position, next.after) !== 0 || group.crc !== next.afterCrc) break
    if (trimmedTo !== null && comparePositions(group.position, trimmedTo) <= 0) break
    chain.push(group)
  }
  return chain.reverse()
}
