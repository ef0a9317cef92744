/**
 * What the catalog journals, by the message grammar (docs/object-format.md); a kind's bytes never change.
 *   topicIntent, then create on every shard concerned, then topicDone         a topic comes to be
 *   partitionsIntent, then create on the shards, then topicDone               it gets more partitions
 *   topicDelete, then drop on the shards, then topicGone                      it goes
 */
import {
  array, decodeMessage, encodeMessage, field, float64, int16, int32, message, string, struct, uuid, type Infer,
  type Message
} from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { ENTRY_KIND, type Entry } from '../shard/entry.ts'

const versions = { versions: [0, 0], flexibleSince: null } as const

export const configFields = { name: field(string), value: field(string) } as const

const clusterEntry = message(
  'ClusterEntry', versions, { clusterId: field(string), shardCount: field(int32), clusterVersion: field(int32) }
)
const topicIntentEntry = message('TopicIntentEntry', versions, {
  topicId: field(uuid), name: field(string), partitionCount: field(int32), replicationFactor: field(int16),
  configs: field(array(struct(configFields))), createdMs: field(float64)
})
const topicStepEntry = message('TopicStepEntry', versions, { topicId: field(uuid) })
const topicCountEntry = message('TopicCountEntry', versions, { topicId: field(uuid), partitionCount: field(int32) })
const producerIdBlockEntry =
  message('ProducerIdBlockEntry', versions, { firstId: field(float64), count: field(int32), timeMs: field(float64) })

/** The newest life of a node that the catalog knows, and up to which its lives are closed in every shard; 0: none. */
const nodeLifeEntry =
  message('NodeLifeEntry', versions, { nodeId: field(int32), nodeEpoch: field(float64), closedEpoch: field(float64) })

/** Bodies of the entries; topicDone and partitionsIntent are counts, topicDelete and topicGone steps. */
export const CATALOG_MESSAGES: readonly Message<unknown>[] =
  [clusterEntry, topicIntentEntry, topicCountEntry, topicStepEntry, producerIdBlockEntry, nodeLifeEntry]

export type ClusterFact = Infer<typeof clusterEntry>
export type TopicIntent = Infer<typeof topicIntentEntry>
export type TopicStep = Infer<typeof topicStepEntry>
export type TopicCount = Infer<typeof topicCountEntry>
export type NodeLife = Infer<typeof nodeLifeEntry>
export type ProducerIdBlock = Infer<typeof producerIdBlockEntry>

export type CatalogFact =
  | { readonly kind: typeof ENTRY_KIND.cluster; readonly fact: ClusterFact }
  | { readonly kind: typeof ENTRY_KIND.topicIntent; readonly fact: TopicIntent }
  | { readonly kind: typeof ENTRY_KIND.topicDone | typeof ENTRY_KIND.partitionsIntent; readonly fact: TopicCount }
  | { readonly kind: typeof ENTRY_KIND.topicDelete | typeof ENTRY_KIND.topicGone; readonly fact: TopicStep }
  | { readonly kind: typeof ENTRY_KIND.producerIdBlock; readonly fact: ProducerIdBlock }
  | { readonly kind: typeof ENTRY_KIND.nodeLife; readonly fact: NodeLife }

function lay<T>(kind: number, of: Message<T>, fact: T): Entry {
  const w = new Writer(128)
  encodeMessage(of, 0, fact, w)
  return { kind, body: Buffer.concat(w.finish()) }
}

export const encodeCluster = (fact: ClusterFact): Entry => lay(ENTRY_KIND.cluster, clusterEntry, fact)
export const encodeTopicIntent = (fact: TopicIntent): Entry => lay(ENTRY_KIND.topicIntent, topicIntentEntry, fact)
/** Partitions below `partitionCount` are on their shards. */
export const encodeTopicDone = (fact: TopicCount): Entry => lay(ENTRY_KIND.topicDone, topicCountEntry, fact)
export const encodeTopicDelete = (fact: TopicStep): Entry => lay(ENTRY_KIND.topicDelete, topicStepEntry, fact)
export const encodeTopicGone = (fact: TopicStep): Entry => lay(ENTRY_KIND.topicGone, topicStepEntry, fact)
/** The topic shall have `partitionCount` partitions. */
export const encodePartitionsIntent = (fact: TopicCount): Entry =>
  lay(ENTRY_KIND.partitionsIntent, topicCountEntry, fact)
export const encodeProducerIdBlock = (fact: ProducerIdBlock): Entry =>
  lay(ENTRY_KIND.producerIdBlock, producerIdBlockEntry, fact)
export const encodeNodeLife = (fact: NodeLife): Entry => lay(ENTRY_KIND.nodeLife, nodeLifeEntry, fact)

function read<T>(of: Message<T>, body: Uint8Array): T {
  const r = new Reader(body)
  const fact = decodeMessage(of, 0, r)
  r.expectEnd()
  return fact
}

/** Reads an entry of the catalog; null: its kind is none of the catalog's. @throws ZonewiseError FRAME_INVALID */
export function decodeCatalogEntry({ kind, body }: Entry): CatalogFact | null {
  switch (kind) {
    case ENTRY_KIND.cluster: return { kind, fact: read(clusterEntry, body) }
    case ENTRY_KIND.topicIntent: return { kind, fact: read(topicIntentEntry, body) }
    case ENTRY_KIND.topicDone:
    case ENTRY_KIND.partitionsIntent: return { kind, fact: read(topicCountEntry, body) }
    case ENTRY_KIND.topicDelete:
    case ENTRY_KIND.topicGone: return { kind, fact: read(topicStepEntry, body) }
    case ENTRY_KIND.producerIdBlock: return { kind, fact: read(producerIdBlockEntry, body) }
    case ENTRY_KIND.nodeLife: return { kind, fact: read(nodeLifeEntry, body) }
    default: return null
  }
}
