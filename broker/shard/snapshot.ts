/**
 * Snapshots of a shard in the object store (docs/object-format.md): pages of the index, the state, and last the head, so
 * that a head names only what is there. Pages are shared with the snapshots before: what is written follows what changed.
 *   snapshots/<shard>/<epoch>-<seq>.page    a page of the index (below)
 *   snapshots/<shard>/<epoch>-<seq>.state   sections: length u32 | bytes, for partitions, groups, catalog
 *   snapshots/<shard>/<epoch>-<seq>.head    sealed JSON: format, clusterId, shard, position, crc, timeMs,
 *                                           state {key, bytes, crc32c}, pages [{key, bytes, crc32c, objects, sources}]
 *                                           (how far each reaches, exclusive)
 */
import { crc32c } from '#shared/binary/crc32c.ts'
import { sealJson, unsealJson } from '#shared/binary/sealed-json.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { decodeCatalogState, encodeCatalogState } from '../catalog/catalog-state.ts'
import { decodeGroupsState, encodeGroupsState } from '../group/groups-state.ts'
import { decodePartitionsState, encodePartitionsState } from '../partition/partitions-snapshot.ts'
import type { DurableShard } from './durable-shard.ts'
import { decodeIndexPages, encodeIndexPage, PAGE_NONE, pageBytes, pageEnd, type PageEnd } from './index-page.ts'
import type { ShardState } from './shard-state.ts'

export const SNAPSHOT_FORMAT = 2
const SECTIONS = 3

export type SnapshotPart = { readonly key: string; readonly bytes: number; readonly crc32c: number }
export type SnapshotPage = SnapshotPart & PageEnd

export type SnapshotHead = {
  readonly format: number
  readonly clusterId: string
  readonly shard: number
  readonly position: { readonly epoch: number; readonly seq: number }
  readonly crc: number // running CRC of the journal at position
  readonly timeMs: number
  readonly state: SnapshotPart
  readonly pages: readonly SnapshotPage[] // oldest first
}

/** What one snapshot writes, in this order. */
export type Snapshot = {
  readonly head: SnapshotHead
  readonly parts: readonly { readonly part: SnapshotPart; readonly chunks: readonly Uint8Array[] }[]
  readonly headKey: string
  readonly headBytes: Uint8Array
}

export function snapshotPrefix(shard: number): string {
  return `snapshots/${String(shard).padStart(5, '0')}/`
}

export function headKeyOf({ shard, position }: Pick<SnapshotHead, 'shard' | 'position'>): string {
  return `${nameOf(shard, position)}.head`
}

function nameOf(shard: number, { epoch, seq }: SnapshotHead['position']): string {
  return `${snapshotPrefix(shard)}${pad(epoch)}-${pad(seq)}`
}

/**
 * Lays out a snapshot that shares the pages of `before`, the newest one (null: there is none). What is returned no longer
 * changes when the shard does.
 */
export function encodeSnapshot(durable: DurableShard, clusterId: string, before: SnapshotHead | null): Snapshot {
  const { shard, position, crc, state, index } = durable
  const name = nameOf(shard, position)
  const kept = pagesToKeep(before?.pages ?? [], (from) => pageBytes(index, from))
  const from = kept.at(-1) ?? PAGE_NONE
  const end = pageEnd(index)
  const parts: { part: SnapshotPart; chunks: readonly Uint8Array[] }[] = []
  const pages = [...kept]
  if (end.objects > from.objects) {
    const chunks = encodeIndexPage(index, from)
    const part = partOf(`${name}.page`, chunks)
    parts.push({ part, chunks })
    pages.push({ ...part, ...end })
  }
  const sections = [encodePartitionsState(state.partitions), encodeGroupsState(state.groups), encodeCatalogState(state.catalog)]
  const chunks = sections.flatMap(section)
  const statePart = partOf(`${name}.state`, chunks)
  parts.push({ part: statePart, chunks })
  const head: SnapshotHead = {
    format: SNAPSHOT_FORMAT, clusterId, shard, position, crc, timeMs: state.timeMs, state: statePart, pages
  }
  return { head, parts, headKey: headKeyOf(head), headBytes: sealJson(head) }
}

/**
 * The pages to go on from: a page no bigger than what would follow it is written again with it, so that there are about
 * log2 of the bytes and each byte is written about so often. If most of what is kept was dropped, all is written anew.
 */
export function pagesToKeep(pages: readonly SnapshotPage[], bytesFrom: (from: PageEnd) => number): readonly SnapshotPage[] {
  let count = pages.length
  let bytes = bytesFrom(pages.at(-1) ?? PAGE_NONE)
  while (count > 0 && pages[count - 1]!.bytes <= bytes) {
    count -= 1
    bytes = bytesFrom(pages[count - 1] ?? PAGE_NONE)
  }
  const keptBytes = pages.slice(0, count).reduce((sum, page) => sum + page.bytes, 0)
  return keptBytes > 2 * bytesFrom(PAGE_NONE) ? [] : pages.slice(0, count)
}

/** @throws ZonewiseError OBJECT_CORRUPT, FORMAT_TOO_NEW */
export function decodeHead(key: string, bytes: Uint8Array): SnapshotHead {
  const unsealed = unsealJson(bytes, SNAPSHOT_FORMAT)
  if (unsealed.kind === 'newer') throw new ZonewiseError('FORMAT_TOO_NEW', 'snapshot has an unknown format', { key, format: unsealed.format })
  if (unsealed.kind === 'damaged') throw new ZonewiseError('OBJECT_CORRUPT', 'snapshot head is damaged', { key, position: 0 })
  return unsealed.value as SnapshotHead
}

/** @throws ZonewiseError OBJECT_CORRUPT */
export function checkPart({ key, bytes, crc32c: expected }: SnapshotPart, content: Uint8Array): void {
  if (bytes !== content.byteLength || expected !== crc32c(content))
    throw new ZonewiseError('OBJECT_CORRUPT', 'a part of a snapshot does not match its head', { key })
}

/** Puts a shard together from checked parts, pages in order. @throws ZonewiseError OBJECT_CORRUPT, FORMAT_TOO_NEW */
export function decodeSnapshot(head: SnapshotHead, stateBytes: Uint8Array, pages: readonly Uint8Array[]): DurableShard {
  const { shard, position, crc, timeMs, state: { key } } = head
  const [partitions, groups, catalog] = split(stateBytes, key)
  if (partitions === undefined || groups === undefined || catalog === undefined)
    throw new ZonewiseError('OBJECT_CORRUPT', 'the state of a snapshot lacks a section', { key })
  const state: ShardState = {
    timeMs, partitions: decodePartitionsState(partitions), groups: decodeGroupsState(groups), catalog: decodeCatalogState(catalog)
  }
  return { shard, state, index: decodeIndexPages(pages, state.partitions.byLocalId), position, crc }
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

function partOf(key: string, chunks: readonly Uint8Array[]): SnapshotPart {
  let [bytes, sum] = [0, 0]
  for (const chunk of chunks) {
    bytes += chunk.byteLength
    sum = crc32c(chunk, sum)
  }
  return { key, bytes, crc32c: sum }
}

function section(parts: readonly Uint8Array[]): Uint8Array[] {
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, parts.reduce((sum, part) => sum + part.byteLength, 0))
  return [length, ...parts]
}

function split(content: Uint8Array, key: string): Uint8Array[] {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  const sections: Uint8Array[] = []
  for (let at = 0; at < content.byteLength && sections.length < SECTIONS;) {
    const end = at + 4 <= content.byteLength ? at + 4 + view.getUint32(at) : Infinity
    if (end > content.byteLength) throw new ZonewiseError('OBJECT_CORRUPT', 'the state of a snapshot is cut short', { key, at })
    sections.push(content.subarray(at + 4, end))
    at = end
  }
  return sections
}

function pad(value: number): string {
  return String(value).padStart(16, '0')
}
