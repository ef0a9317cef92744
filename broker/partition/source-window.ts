/**
 * What a shard remembers of each lane of each gateway: the newest chunkSeq and the answers of the last chunks, so that
 * the same chunk gets the same answers and nothing is applied twice (DESIGN section 4, "Once"). A newer life of a node
 * replaces the older one, which is refused from then on: the number of windows is the number of (node, lane) ever seen.
 */
import type { Source } from '#shared/object/chunk-ref.ts'

/** Chunks remembered per source and shard; a gateway never has more sent and unanswered. Part of the format. */
export const COMMIT_WINDOW = 8

export type RememberedChunk = { readonly chunkSeq: number; readonly checksum: number; readonly answers: Uint8Array }
export type SourceWindow = { readonly source: Source; newestSeq: number; recent: RememberedChunk[] } // oldest first

export type WindowVerdict =
  | { readonly kind: 'new' }
  | { readonly kind: 'known'; readonly answers: Uint8Array }
  | {
    readonly kind: 'refused';
    readonly reason: 'older life of the node' | 'another nonce in one life' | 'another checksum' | 'below the window'
  }

export function windowKey(source: Source): string {
  return `${source.nodeId}/${source.lane}`
}

export function judgeChunk(
  window: SourceWindow | undefined, source: Source, chunkSeq: number, checksum: number
): WindowVerdict {
  if (window === undefined || source.nodeEpoch > window.source.nodeEpoch) return { kind: 'new' }
  if (source.nodeEpoch < window.source.nodeEpoch) return { kind: 'refused', reason: 'older life of the node' }
  if (source.nonce !== window.source.nonce) return { kind: 'refused', reason: 'another nonce in one life' }
  if (chunkSeq > window.newestSeq) return { kind: 'new' }
  const known = window.recent.find((chunk) => chunk.chunkSeq === chunkSeq)
  if (known === undefined) return { kind: 'refused', reason: 'below the window' }
  return known.checksum === checksum
    ? { kind: 'known', answers: known.answers }
    : { kind: 'refused', reason: 'another checksum' }
}

/** Remembers a decided chunk, in place; `judgeChunk` said 'new'. */
export function rememberChunk(windows: Map<string, SourceWindow>, source: Source, chunk: RememberedChunk): void {
  const key = windowKey(source)
  let window = windows.get(key)
  if (window === undefined || window.source.nodeEpoch < source.nodeEpoch) {
    windows.set(key, (window = { source, newestSeq: 0, recent: [] }))
  }
  window.newestSeq = chunk.chunkSeq
  if (window.recent.length === COMMIT_WINDOW) window.recent.shift()
  window.recent.push(chunk)
}
