import type { TopicInfo } from '#shared/cluster/catalog-reader.ts'

/** Kafka's default of `max.message.bytes`. */
const DEFAULT = 1_048_588
const known = new WeakMap<TopicInfo, number>()

/** Largest batch that a topic takes, bytes; the catalog checked the override when it was set. */
export function messageBytesMaxOf(topic: TopicInfo): number {
  let bytes = known.get(topic)
  if (bytes === undefined) known.set(topic, (bytes = Number(topic.configs['max.message.bytes'] ?? DEFAULT)))
  return bytes
}
