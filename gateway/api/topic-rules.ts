/** What a topic's configs ask of the batches that are produced to it, read once and kept with the topic. */
import type { TopicInfo } from '#shared/cluster/catalog-reader.ts'
import { resolveTopicConfigs } from '#shared/config/topic-configs.ts'

export type TopicRules = {
  readonly messageBytesMax: number // of a batch
  readonly stampsAppendTime: boolean // message.timestamp.type=LogAppendTime
  readonly aheadMsMax: number // how far times may lie before our clock, where they are the producer's
  readonly behindMsMax: number // and how far behind it
  readonly needsKeys: boolean // it is compacted
  readonly looksAtRecords: boolean // a batch's header does not tell enough
}

const known = new WeakMap<TopicInfo, TopicRules>()

export function topicRules(topic: TopicInfo): TopicRules {
  let rules = known.get(topic)
  if (rules === undefined) known.set(topic, (rules = read(topic)))
  return rules
}

function read({ configs }: TopicInfo): TopicRules {
  const values = resolveTopicConfigs(configs)
  const stampsAppendTime = values['message.timestamp.type'] === 'LogAppendTime'
  const behindMsMax = stampsAppendTime ? Infinity : bound(values['message.timestamp.before.max.ms'])
  const needsKeys = values['cleanup.policy'].includes('compact')
  return {
    messageBytesMax: values['max.message.bytes'], stampsAppendTime,
    aheadMsMax: stampsAppendTime ? Infinity : bound(values['message.timestamp.after.max.ms']), behindMsMax,
    needsKeys, looksAtRecords: needsKeys || behindMsMax < Infinity
  }
}

/** Kafka's largest number stands for no bound. */
function bound(ms: number): number {
  return Number.isSafeInteger(ms) ? ms : Infinity
}
