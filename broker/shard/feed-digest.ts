import { hashNumbers } from '#shared/cluster/hash.ts'

/** A number that two nodes agree on when, and as good as only when, they mean the same shards with the same epochs. */
export function feedDigest(epochs: ReadonlyMap<number, number>): number {
  let digest = 0
  for (const [shard, epoch] of epochs) digest = (digest ^ hashNumbers('feed', shard, epoch)) >>> 0
  return digest
}
