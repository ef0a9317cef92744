/**
 * Contract of an object store. Every implementation passes test/conformance/store.
 * Keys: `/`-separated, characters [A-Za-z0-9._=-], no empty or dot part. Values are opaque bytes.
 * @throws ZonewiseError from every call: STORE_UNAVAILABLE (outcome unknown), STORE_REFUSED, STORE_FULL.
 */
import type { MemoryPool } from '../binary/memory-pool.ts'

/** [start, end) */
export type ByteRange = { readonly start: number; readonly end: number }
export type ObjectInfo = { readonly key: string; readonly bytes: number; readonly modifiedMs: number }

export type ObjectStore = {
  /**
   * Creates `key`; durable when it resolves. `chunks` are referenced until then, do not change them.
   * @throws ZonewiseError OBJECT_EXISTS: the key is there already (nothing was changed).
   */
  putIfAbsent(key: string, chunks: readonly Uint8Array[]): Promise<void>
  /** Creates or replaces `key` atomically; durable when it resolves. */
  put(key: string, chunks: readonly Uint8Array[]): Promise<void>
  /**
   * Bytes [start, end) of the object, `end` exclusive and cut at its size; the whole object without a range.
   * The caller owns the result; with `memory` it lies in a block of it, held. @throws ZonewiseError OBJECT_MISSING
   */
  get(key: string, range?: ByteRange, memory?: MemoryPool): Promise<Uint8Array>
  /**
   * Looks at the object itself, as do reads from then on, whatever the store keeps open.
   * @returns null when there is none.
   */
  head(key: string): Promise<ObjectInfo | null>
  /** Keys that start with `prefix`, above `after` (exclusive), in ascending byte order, at most `max`. */
  list(prefix: string, options?: { readonly after?: string; readonly max?: number }): Promise<ObjectInfo[]>
  /** Deletes; deleting what is not there succeeds. */
  delete(key: string): Promise<void>
  /** Free bytes of the medium, or null where that has no meaning. */
  freeBytes(): Promise<number | null>
  close(): Promise<void>
}
