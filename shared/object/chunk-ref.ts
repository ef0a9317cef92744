/**
 * Source: one life of one lane of a gateway. A chunk is named by (source, chunkSeq), and so is its key in the store.
 */
export type Source = {
  readonly nodeId: number // int32
  readonly nodeEpoch: number // < 2^53
  readonly nonce: string // random 64 bits as 16 hex digits
  readonly lane: number // uint8; see LANE
}

export type ChunkRef = { readonly source: Source; readonly chunkSeq: number } // chunkSeq from 1, dense

/** A lane is one (durability class, ack mode): chunks of one lane never wait for another's. */
export const LANE = { region: 0 } as const

export function sourceName(source: Source): string {
  return `${source.nodeId}-${source.nodeEpoch}-${source.nonce}-${source.lane}`
}

/** The key under which the chunk lies in the object store. */
export function chunkKey(ref: ChunkRef): string {
  return `chunks/${sourceName(ref.source)}/${String(ref.chunkSeq).padStart(16, '0')}`
}
