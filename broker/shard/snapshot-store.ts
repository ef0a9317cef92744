/**
 * Writes snapshots, reads them back, and finds the newest. A snapshot counts for trimming only after its head, its state
 * and its pages were read back, each part once; the journal is trimmed to the older of the two newest such, and older
 * ones are let go. So damage of what the newest wrote costs nothing but time: the one before it, and the journal from
 * there on, hold the same. Nothing else is taken for granted between calls: another node may have led the shard meanwhile.
 */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { comparePositions, type Position } from '#shared/journal/journal.ts'
import { type Log, silentLog } from '#shared/log/log.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { DurableShard } from './durable-shard.ts'
import {
  checkPart, decodeHead, decodeSnapshot, encodeSnapshot, headKeyOf, snapshotPrefix, type SnapshotHead, type SnapshotPart
} from './snapshot.ts'

const KEPT = 2
const READS_AT_A_TIME = 4

export class SnapshotStore {
  readonly #store: ObjectStore
  readonly #clusterId: string
  readonly #log: Log
  readonly #verified = new Map<number, ReadonlySet<string>>() // by shard: parts that were read back here, of the heads kept

  constructor(store: ObjectStore, clusterId: string, log: Log = silentLog) {
    this.#store = store
    this.#clusterId = clusterId
    this.#log = log
  }

  /**
   * Writes a snapshot of `durable` and verifies by read-back what it wrote. The shard may go on meanwhile.
   * @returns its position. @throws ZonewiseError of the store, OBJECT_CORRUPT
   */
  async write(durable: DurableShard): Promise<Position> {
    const [before = null] = await this.#verifiedHeads(durable.shard, 1)
    // A newer one is there: this node led long ago, and adds nothing.
    if (before !== null && comparePositions(before.position, durable.position) >= 0) return before.position
    const { head, headKey, headBytes, parts } = encodeSnapshot(durable, this.#clusterId, before) // copied before the next await
    for (const { part, chunks } of parts) await this.#store.put(part.key, chunks)
    await this.#store.put(headKey, [headBytes])
    await this.#verify(await this.#head(headKey))
    return head.position
  }

  /**
   * The newest snapshot that can be read, or null; each that cannot is told in the log. The journal shows whether what
   * is returned is new enough. @throws ZonewiseError of the store, CLUSTER_MISMATCH, FORMAT_TOO_NEW
   */
  async newest(shard: number): Promise<DurableShard | null> {
    const bad = new Set<string>()
    for (let missed: string | undefined; ;) {
      const key = (await this.#keys(shard)).findLast((one) => isHead(one) && !bad.has(one))
      if (key === undefined) return null
      try {
        return await this.#read(await this.#head(key))
      } catch (error) {
        if (!isBad(error)) throw error
        // What was the newest when it was listed may have been let go since, for newer ones.
        if (error.code === 'OBJECT_MISSING' && key !== missed) {
          missed = key
          continue
        }
        bad.add(key)
        this.#log.error('a snapshot cannot be used: the one before it is tried', { shard, key, reason: explain(error) })
      }
    }
  }

  /** Up to where the journal may be trimmed: the older of the two newest verified snapshots; null while there are fewer. */
  async trimmable(shard: number): Promise<Position | null> {
    return (await this.#verifiedHeads(shard, KEPT))[KEPT - 1]?.position ?? null
  }

  /** Lets go of snapshots older than the two newest verified ones, heads first, and of parts that no other names. */
  async prune(shard: number): Promise<void> {
    const keys = await this.#keys(shard)
    const oldestKept = (await this.#verifiedHeads(shard, KEPT))[KEPT - 1]
    if (oldestKept === undefined) return
    const oldestKey = headKeyOf(oldestKept)
    const named = new Set<string>()
    for (const head of await this.#readableHeads(keys.filter((key) => isHead(key) && key >= oldestKey)))
      for (const part of partsOf(head)) named.add(part.key)
    for (const key of keys) if (isHead(key) && key < oldestKey) await this.#store.delete(key)
    // Newer parts may be those of a snapshot whose head is not written yet.
    for (const key of keys) if (!isHead(key) && !named.has(key) && key < oldestKey) await this.#store.delete(key)
    this.#verified.set(shard, new Set([...this.#verified.get(shard) ?? []].filter((key) => named.has(key))))
  }

  /** The newest `count` heads whose parts are all there and right, newest first. */
  async #verifiedHeads(shard: number, count: number): Promise<SnapshotHead[]> {
    const found: SnapshotHead[] = []
    for (const key of (await this.#keys(shard)).filter(isHead).toReversed()) {
      if (found.length === count) break
      try {
        const head = await this.#head(key)
        await this.#verify(head) // another leader may have written it and not come to read it back
        found.push(head)
      } catch (error) {
        if (!isBad(error)) throw error // not known
      }
    }
    return found
  }

  async #readableHeads(keys: readonly string[]): Promise<SnapshotHead[]> {
    const heads: SnapshotHead[] = []
    for (const key of keys) {
      try {
        heads.push(await this.#head(key))
      } catch (error) {
        if (!isBad(error)) throw error
      }
    }
    return heads
  }

  async #verify(head: SnapshotHead): Promise<void> {
    const known = this.#verified.get(head.shard) ?? new Set()
    const parts = partsOf(head)
    for (const part of parts) if (!known.has(part.key)) await this.#part(part)
    this.#verified.set(head.shard, new Set([...this.#verified.get(head.shard) ?? [], ...parts.map(({ key }) => key)]))
  }

  async #read(head: SnapshotHead): Promise<DurableShard> {
    const parts = partsOf(head)
    const contents: Uint8Array[] = Array.from({ length: parts.length })
    let next = 0
    const readOn = async (): Promise<void> => {
      for (let at = next++; at < parts.length; at = next++) contents[at] = await this.#part(parts[at]!)
    }
    await Promise.all(Array.from({ length: Math.min(READS_AT_A_TIME, parts.length) }, readOn))
    return decodeSnapshot(head, contents[0]!, contents.slice(1))
  }

  async #keys(shard: number): Promise<string[]> {
    const keys: string[] = []
    for (let after: string | undefined; ;) {
      const found = await this.#store.list(snapshotPrefix(shard), after === undefined ? {} : { after })
      keys.push(...found.map(({ key }) => key))
      after = found.at(-1)?.key
      if (after === undefined) return keys
    }
  }

  async #head(key: string): Promise<SnapshotHead> {
    const head = decodeHead(key, await this.#store.get(key))
    if (head.clusterId !== this.#clusterId)
      throw new ZonewiseError('CLUSTER_MISMATCH', 'snapshot of another cluster', { key, clusterId: head.clusterId, expected: this.#clusterId })
    return head
  }

  async #part(part: SnapshotPart): Promise<Uint8Array> {
    const content = await this.#store.get(part.key)
    checkPart(part, content)
    return content
  }
}

/** The state first, then the pages in order. */
function partsOf({ state, pages }: SnapshotHead): readonly SnapshotPart[] {
  return [state, ...pages]
}

function isHead(key: string): boolean {
  return key.endsWith('.head')
}

/** What will not pass by itself: another snapshot may be good all the same. */
function isBad(error: unknown): error is ZonewiseError {
  return error instanceof ZonewiseError && ['OBJECT_CORRUPT', 'OBJECT_MISSING', 'STORE_REFUSED', 'FRAME_INVALID'].includes(error.code)
}
