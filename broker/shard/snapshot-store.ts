/**
 * Writes snapshots, reads them back, and finds the newest. A snapshot counts for trimming only after its head and page
 * were read back; the journal is trimmed to the older of the two newest such, and older ones are let go. So a damaged
 * one costs nothing but time: the one before it, and the journal from there on, hold the same.
 */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Position } from '#shared/journal/journal.ts'
import { type Log, silentLog } from '#shared/log/log.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { DurableShard } from './durable-shard.ts'
import { decodeHead, decodeSnapshot, encodeSnapshot, snapshotPrefix, type SnapshotHead } from './snapshot.ts'

const KEPT = 2

export class SnapshotStore {
  readonly #store: ObjectStore
  readonly #clusterId: string
  readonly #log: Log
  readonly #verified = new Map<number, readonly string[]>() // by shard: keys of the newest heads that were read back here

  constructor(store: ObjectStore, clusterId: string, log: Log = silentLog) {
    this.#store = store
    this.#clusterId = clusterId
    this.#log = log
  }

  /**
   * Writes a snapshot of `durable` as it is now and verifies it by read-back.
   * @returns its position. @throws ZonewiseError of the store, OBJECT_CORRUPT
   */
  async write(durable: DurableShard): Promise<Position> {
    const { head, headKey, headBytes, page } = encodeSnapshot(durable, this.#clusterId) // copied here, before the first await
    for (const { key } of head.pages) await this.#store.put(key, page)
    await this.#store.put(headKey, [headBytes])
    await this.#verify(head.shard, headKey)
    return head.position
  }

  /**
   * The newest snapshot that can be read, or null; each that cannot is told in the log. The journal shows whether what
   * is returned is new enough. @throws ZonewiseError of the store, CLUSTER_MISMATCH, FORMAT_TOO_NEW
   */
  async newest(shard: number): Promise<DurableShard | null> {
    const bad = new Set<string>()
    for (let missed: string | undefined; ;) {
      const key = (await this.#headKeys(shard)).findLast((one) => !bad.has(one))
      if (key === undefined) return null
      try {
        return await this.#read(key)
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
    const key = await this.#olderOfTwo(shard)
    return key === null ? null : (await this.#head(key)).position
  }

  /** Lets go of all that is older than the two newest verified snapshots, of each its head first. */
  async prune(shard: number): Promise<void> {
    const oldestKept = await this.#olderOfTwo(shard)
    if (oldestKept === null) return
    for (const key of await this.#keys(shard)) {
      if (key >= oldestKept) return
      await this.#store.delete(key)
    }
  }

  async #olderOfTwo(shard: number): Promise<string | null> {
    let count = 0
    for (const key of (await this.#headKeys(shard)).toReversed())
      if (await this.#isVerified(shard, key) && ++count === KEPT) return key
    return null
  }

  /** Another leader may have written a snapshot and not come to read it back: then that is done here. */
  async #isVerified(shard: number, key: string): Promise<boolean> {
    if (this.#verified.get(shard)?.includes(key) === true) return true
    try {
      await this.#verify(shard, key)
      return true
    } catch (error) {
      if (isBad(error)) return false
      throw error // not known
    }
  }

  async #verify(shard: number, key: string): Promise<void> {
    await this.#read(key)
    const keys = new Set(this.#verified.get(shard)).add(key)
    this.#verified.set(shard, [...keys].sort().slice(-KEPT))
  }

  async #read(key: string): Promise<DurableShard> {
    const head = await this.#head(key)
    if (head.clusterId !== this.#clusterId)
      throw new ZonewiseError('CLUSTER_MISMATCH', 'snapshot of another cluster', { key, clusterId: head.clusterId, expected: this.#clusterId })
    return decodeSnapshot(head, await this.#store.get(head.pages[0]?.key ?? key))
  }

  async #headKeys(shard: number): Promise<string[]> {
    return (await this.#keys(shard)).filter((key) => key.endsWith('.head'))
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
    return decodeHead(key, await this.#store.get(key))
  }
}

/** What will not pass by itself: another snapshot may be good all the same. */
function isBad(error: unknown): error is ZonewiseError {
  return error instanceof ZonewiseError && ['OBJECT_CORRUPT', 'OBJECT_MISSING', 'STORE_REFUSED', 'FRAME_INVALID'].includes(error.code)
}
