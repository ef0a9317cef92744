/**
 * Writes snapshots, reads them back, and finds the newest. A snapshot counts for trimming only after its head and page
 * were read back; the journal is trimmed to the older of the two newest such, and older ones are let go.
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Position } from '#shared/journal/journal.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { DurableShard } from './durable-shard.ts'
import { decodeHead, decodeSnapshot, encodeSnapshot, snapshotPrefix, type SnapshotHead } from './snapshot.ts'

const KEPT = 2

export class SnapshotStore {
  readonly #store: ObjectStore
  readonly #clusterId: string

  constructor(store: ObjectStore, clusterId: string) {
    this.#store = store
    this.#clusterId = clusterId
  }

  /**
   * Writes a snapshot of `durable` as it is now and verifies it by read-back.
   * @returns its position. @throws ZonewiseError of the store, OBJECT_CORRUPT
   */
  async write(durable: DurableShard): Promise<Position> {
    const { head, headKey, page } = encodeSnapshot(durable, this.#clusterId) // copied here, before the first await
    for (const { key } of head.pages) await this.#store.put(key, page)
    await this.#store.put(headKey, [Buffer.from(JSON.stringify(head))])
    decodeSnapshot(await this.#head(headKey), await this.#store.get(head.pages[0]?.key ?? headKey))
    return head.position
  }

  /** The newest snapshot, or null. @throws ZonewiseError OBJECT_CORRUPT, CLUSTER_MISMATCH */
  async newest(shard: number): Promise<DurableShard | null> {
    const key = (await this.#headKeys(shard)).at(-1)
    if (key === undefined) return null
    const head = await this.#head(key)
    if (head.clusterId !== this.#clusterId)
      throw new ZonewiseError('CLUSTER_MISMATCH', 'snapshot of another cluster', { key, clusterId: head.clusterId, expected: this.#clusterId })
    return decodeSnapshot(head, await this.#store.get(head.pages[0]?.key ?? key))
  }

  /** Up to where the journal may be trimmed: the older of the two newest snapshots; null while there is one or none. */
  async trimmable(shard: number): Promise<Position | null> {
    const key = (await this.#headKeys(shard)).at(-KEPT)
    return key === undefined ? null : (await this.#head(key)).position
  }

  /** Lets go of snapshots older than the two newest, heads first. */
  async prune(shard: number): Promise<void> {
    for (const headKey of (await this.#headKeys(shard)).slice(0, -KEPT)) {
      await this.#store.delete(headKey)
      await this.#store.delete(headKey.replace(/head$/, 'page-0'))
    }
  }

  async #headKeys(shard: number): Promise<string[]> {
    const keys: string[] = []
    for (let after: string | undefined; ;) {
      const found = await this.#store.list(snapshotPrefix(shard), after === undefined ? {} : { after })
      keys.push(...found.map(({ key }) => key).filter((key) => key.endsWith('.head')))
      after = found.at(-1)?.key
      if (after === undefined) return keys
    }
  }

  async #head(key: string): Promise<SnapshotHead> {
    return decodeHead(key, await this.#store.get(key))
  }
}
