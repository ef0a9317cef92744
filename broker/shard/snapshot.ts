/**
 * Snapshots of a shard in the object store (docs/object-format.md): pages first, the head last, so that a head names
 * only what is there. For now there is one page, which holds everything.
 *   snapshots/<shard>/<epoch>-<seq>.page-0   sections: length u32 | bytes, for partitions, groups, catalog, index
 *   snapshots/<shard>/<epoch>-<seq>.head     sealed JSON: format, clusterId, shard, position, crc, timeMs, pages [{key, bytes, crc32c}]
 */
import { crc32c } from '#shared/binary/crc32c.ts'
import { sealJson, unsealJson } from '#shared/binary/sealed-json.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { decodeCatalogState, encodeCatalogState } from '../catalog/catalog-state.ts'
import { decodeGroupsState, encodeGroupsState } from '../group/groups-state.ts'
import { decodePartitionsState, encodePartitionsState } from '../partition/partitions-snapshot.ts'
import type { DurableShard } from './durable-shard.ts'
import { decodeIndex, encodeIndex } from './shard-index.ts'
import type { ShardState } from './shard-state.ts'

export const SNAPSHOT_FORMAT = 1

export type SnapshotHead = {
  readonly format: number
  readonly clusterId: string
  readonly shard: number
  readonly position: { readonly epoch: number; readonly seq: number }
  readonly crc: number // running CRC of the journal at position
  readonly timeMs: number
  readonly pages: readonly { readonly key: string; readonly bytes: number; readonly crc32c: number }[]
}

export type Snapshot = { readonly head: SnapshotHead; readonly headKey: string; readonly headBytes: Uint8Array; readonly page: readonly Uint8Array[] }

export function snapshotPrefix(shard: number): string {
  return `snapshots/${String(shard).padStart(5, '0')}/`
}

/** Copies the state out: what is returned no longer changes when the shard does. */
export function encodeSnapshot(durable: DurableShard, clusterId: string): Snapshot {
  const { shard, position, crc, state, index } = durable
  const page = [encodePartitionsState(state.partitions), encodeGroupsState(state.groups), encodeCatalogState(state.catalog), encodeIndex(index)].flatMap(section)
  const name = `${snapshotPrefix(shard)}${pad(position.epoch)}-${pad(position.seq)}`
  let [bytes, sum] = [0, 0]
  for (const part of page) {
    bytes += part.byteLength
    sum = crc32c(part, sum)
  }
  const head: SnapshotHead = {
    format: SNAPSHOT_FORMAT, clusterId, shard, position, crc, timeMs: state.timeMs, pages: [{ key: `${name}.page-0`, bytes, crc32c: sum }]
  }
  return { head, headKey: `${name}.head`, headBytes: sealJson(head), page }
}

/** @throws ZonewiseError OBJECT_CORRUPT, FORMAT_TOO_NEW */
export function decodeHead(key: string, bytes: Uint8Array): SnapshotHead {
  const unsealed = unsealJson(bytes, SNAPSHOT_FORMAT)
  if (unsealed.kind === 'newer') throw new ZonewiseError('FORMAT_TOO_NEW', 'snapshot has an unknown format', { key, format: unsealed.format })
  if (unsealed.kind === 'damaged') throw new ZonewiseError('OBJECT_CORRUPT', 'snapshot head is damaged', { key, position: 0 })
  return unsealed.value as SnapshotHead
}

/** @throws ZonewiseError OBJECT_CORRUPT */
export function decodeSnapshot(head: SnapshotHead, page: Uint8Array): DurableShard {
  const named = head.pages[0]
  const key = named?.key ?? 'none'
  if (named === undefined || named.bytes !== page.byteLength || named.crc32c !== crc32c(page))
    throw new ZonewiseError('OBJECT_CORRUPT', 'snapshot page does not match its head', { key })
  const sections = split(page, key)
  const [partitions, groups, catalog, index] = [sections[0], sections[1], sections[2], sections[3]]
  if (partitions === undefined || groups === undefined || catalog === undefined || index === undefined)
    throw new ZonewiseError('OBJECT_CORRUPT', 'snapshot page lacks a section', { key })
  const state: ShardState = {
    timeMs: head.timeMs, partitions: decodePartitionsState(partitions), groups: decodeGroupsState(groups), catalog: decodeCatalogState(catalog)
  }
  return { shard: head.shard, state, index: decodeIndex(index), position: head.position, crc: head.crc }
}

/** A copy of a state that shares nothing with it. */
export function cloneState(state: ShardState): ShardState {
  return {
    timeMs: state.timeMs,
    partitions: decodePartitionsState(Buffer.concat(encodePartitionsState(state.partitions))),
    groups: decodeGroupsState(Buffer.concat(encodeGroupsState(state.groups))),
    catalog: decodeCatalogState(Buffer.concat(encodeCatalogState(state.catalog)))
  }
}

function section(parts: readonly Uint8Array[]): Uint8Array[] {
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, parts.reduce((sum, part) => sum + part.byteLength, 0))
  return [length, ...parts]
}

function split(page: Uint8Array, key: string): Uint8Array[] {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength)
  const sections: Uint8Array[] = []
  for (let at = 0; at < page.byteLength;) {
    const end = at + 4 <= page.byteLength ? at + 4 + view.getUint32(at) : Infinity
    if (end > page.byteLength) throw new ZonewiseError('OBJECT_CORRUPT', 'snapshot page is cut short', { key, at })
    sections.push(page.subarray(at + 4, end))
    at = end
  }
  return sections
}

function pad(value: number): string {
  return String(value).padStart(16, '0')
}
