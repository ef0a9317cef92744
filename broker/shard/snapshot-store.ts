/**
 * Writes snapshots, reads them back, and finds the newest. A snapshot counts for trimming only after its head and what
 * it wrote anew were read back; the journal is trimmed to the older of the two newest such, and older ones are let go.
 * Nothing is kept in memory between calls: another node may have led the shard, and written, meanwhile.
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { comparePositions, type Position } from '#shared/journal/journal.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { DurableShard } from './durable-shard.ts'
import { checkPart, decodeHead, decodeSnapshot, encodeHead, encodeSnapshot, snapshotPrefix, type SnapshotHead, type SnapshotPart } from './snapshot.ts'

const KEPT = 2
const READS_AT_A_TIME = 4

export class SnapshotStore {
  readonly #store: ObjectStore
  readonly #clusterId: string

  constructor(store: ObjectStore, clusterId: string) {
    this.#store = store
    this.#clusterId = clusterId
  }

  /**
   * Writes a snapshot of `durable` and verifies by read-back what it wrote. The shard may go on meanwhile.
   * @returns its position. @throws ZonewiseError of the store, OBJECT_CORRUPT
   */
  async write(durable: DurableShard): Promise<Position> {
    const before = await this.#newestHead(durable.shard)
    // A newer one is there: this node led long ago, and adds nothing.
    if (before !== null && comparePositions(before.position, durable.position) >= 0) return before.position
    const { head, headKey, parts } = encodeSnapshot(durable, this.#clusterId, before) // copied before the next await
    for (const { part, chunks } of parts) await this.#store.put(part.key, chunks)
    await this.#store.put(headKey, [encodeHead(head)])
    const written = await this.#head(headKey)
    for (const { part } of parts) await this.#part(part)
    return written.position
  }

  /** The newest snapshot, or null. @throws ZonewiseError OBJECT_CORRUPT, OBJECT_MISSING, CLUSTER_MISMATCH */
  async newest(shard: number): Promise<DurableShard | null> {
    const head = await this.#newestHead(shard)
    if (head === null) return null
    const pages: Uint8Array[] = Array.from({ length: head.pages.length })
    let next = 0
    const readOn = async (): Promise<void> => {
      for (let at = next++; at < pages.length; at = next++) pages[at] = await this.#part(head.pages[at]!)
    }
    const [state] = await Promise.all([this.#part(head.state), ...Array.from({ length: READS_AT_A_TIME }, readOn)])
    return decodeSnapshot(head, state, pages)
  }

  /** Up to where the journal may be trimmed: the older of the two newest snapshots; null while there is one or none. */
  async trimmable(shard: number): Promise<Position | null> {
    const key = (await this.#keys(shard)).filter(isHead).at(-KEPT)
    return key === undefined ? null : (await this.#head(key)).position
  }

  /** Lets go of snapshots older than the two newest, heads first, and of what only they name. */
  async prune(shard: number): Promise<void> {
    const keys = await this.#keys(shard)
    const heads = keys.filter(isHead)
    const oldestKept = heads.at(-KEPT)
    if (oldestKept === undefined) return
    const named = new Set<string>()
    for (const key of heads.slice(-KEPT)) {
      const { state, pages } = await this.#head(key)
      for (const part of [state, ...pages]) named.add(part.key)
    }
    for (const key of heads.slice(0, -KEPT)) await this.#store.delete(key)
    // Newer parts may be those of a snapshot whose head is not written yet.
    for (const key of keys) if (!isHead(key) && !named.has(key) && key < oldestKept) await this.#store.delete(key)
  }

  async #newestHead(shard: number): Promise<SnapshotHead | null> {
    const key = (await this.#keys(shard)).filter(isHead).at(-1)
    return key === undefined ? null : this.#head(key)
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

function isHead(key: string): boolean {
  return key.endsWith('.head')
}
