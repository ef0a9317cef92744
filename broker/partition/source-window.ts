/**
 * What a shard remembers of each lane of each gateway: the newest chunkSeq and the answers of the last chunks, so that
 * the same chunk gets the same answers and nothing is applied twice (DESIGN section 4, "Once"). A newer life of a node
 * replaces the older one, which is refused from then on; lives known to be dead are closed, and only the newest closed
 * epoch of a node is kept: windows are bounded by the lanes of nodes that live, epochs by the nodes ever seen.
 */
import type { Source } from '#shared/object/chunk-ref.ts'

/** Chunks remembered per source and shard; a gateway never has more sent and unanswered. Part of the format. */
export const COMMIT_WINDOW = 8

export type RememberedChunk = { readonly chunkSeq: number; readonly checksum: number; readonly answers: Uint8Array }
export type SourceWindow = {
  readonly source: Source
  newestSeq: number
  floor: number // of the source, as it stated: everything below is decided or given up, in every shard; 0: never stated
  recent: RememberedChunk[] // oldest first
}

export type WindowVerdict =
  | { readonly kind: 'new' }
  | { readonly kind: 'known'; readonly answers: Uint8Array }
  | { readonly kind: 'refused'; readonly reason: RefusedBecause }

export type RefusedBecause =
  | 'closed' | 'older life of the node' | 'another nonce in one life' | 'another checksum' | 'below the window'
  | 'below the floor'

export function windowKey(source: Source): string {
  return `${source.nodeId}/${source.lane}`
}

export type ChunkName = { readonly source: Source; readonly chunkSeq: number; readonly checksum: number }

/** `closedEpoch`: lives of the node up to it are closed. */
export function judgeChunk(
  window: SourceWindow | undefined, { source, chunkSeq, checksum }: ChunkName, closedEpoch = -Infinity
): WindowVerdict {
  if (source.nodeEpoch <= closedEpoch) return { kind: 'refused', reason: 'closed' }
  if (window === undefined || source.nodeEpoch > window.source.nodeEpoch) return { kind: 'new' }
  if (source.nodeEpoch < window.source.nodeEpoch) return { kind: 'refused', reason: 'older life of the node' }
  if (source.nonce !== window.source.nonce) return { kind: 'refused', reason: 'another nonce in one life' }
  const refused = { kind: 'refused', reason: chunkSeq < window.floor ? 'below the floor' : 'below the window' } as const
  if (chunkSeq > window.newestSeq) return chunkSeq < window.floor ? refused : { kind: 'new' }
  const known = window.recent.find((chunk) => chunk.chunkSeq === chunkSeq)
  if (known === undefined) return refused
  return known.checksum === checksum
    ? { kind: 'known', answers: known.answers }
    : { kind: 'refused', reason: 'another checksum' }
}

/** Remembers a decided chunk, in place; `judgeChunk` said 'new'. `floor`: as the source stated with it, or -1. */
export function rememberChunk(
  windows: Map<string, SourceWindow>, source: Source, chunk: RememberedChunk, floor: number
): void {
  const key = windowKey(source)
  let window = windows.get(key)
  if (window === undefined || window.source.nodeEpoch < source.nodeEpoch) {
    windows.set(key, (window = { source, newestSeq: 0, floor: 0, recent: [] }))
  }
  window.newestSeq = chunk.chunkSeq
  if (floor > window.floor) window.floor = floor
  if (window.recent.length === COMMIT_WINDOW) window.recent.shift()
  window.recent.push(chunk)
}

/** Closes the lives of a node up to `nodeEpoch`, in place: their windows go, what comes of them is refused for good. */
export function closeLives(
  windows: Map<string, SourceWindow>, closedEpochs: Map<number, number>, nodeId: number, nodeEpoch: number
): void {
  if (nodeEpoch <= (closedEpochs.get(nodeId) ?? -Infinity)) return
  closedEpochs.set(nodeId, nodeEpoch)
  for (const [key, { source }] of windows)
    if (source.nodeId === nodeId && source.nodeEpoch <= nodeEpoch) windows.delete(key)
}
