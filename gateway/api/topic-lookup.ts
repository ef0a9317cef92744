/**
 * Names and ids of topics, looked up in this node's view of the catalog; what it does not know is asked of
 * the journal first.
 */
import type { TopicInfo } from '#shared/cluster/catalog-reader.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { GatewayServices } from './handler.ts'

/** What a request names a topic by: an id where it has one, else a name. */
export type TopicName = {
  readonly name: string | null
  readonly topicId: string | null
  readonly partitionCount?: number // how many it has at least, by what the request says
}

export const NO_SUCH_TOPIC = 'This server does not host this topic-partition.' // as Kafka says it, in admin answers
export const NO_SUCH_TOPIC_ID = 'This server does not host this topic ID.'

const NAME = /^[a-zA-Z0-9._-]{1,249}$/

/** Kafka's rule (PROTOCOL 13). */
export function isTopicNameValid(name: string): boolean {
  return NAME.test(name) && name !== '.' && name !== '..'
}

function find({ catalog }: GatewayServices, { name, topicId }: TopicName): TopicInfo | null {
  if (topicId !== null) {
    const topic = catalog.topicById(topicId)
    return topic === null || topic.state === 'deleting' ? null : topic
  }
  return name === null ? null : catalog.topicByName(name)
}

/**
 * Finds topics, with one barrier if any is not known, or not with so many partitions, so that what was made through
 * another node is known here too. `fresh` is false if the barrier failed: then what is missing may well exist.
 */
export async function findTopics(
  services: GatewayServices, names: readonly TopicName[]
): Promise<{ readonly topics: (TopicInfo | null)[]; readonly fresh: boolean }> {
  const topics = names.map((name) => find(services, name))
  const isKnown = names.every(({ partitionCount = 0 }, t) => (topics[t]?.readyPartitionCount ?? -1) >= partitionCount)
  if (isKnown) return { topics, fresh: true }
  try {
    await services.catalog.barrier()
  } catch (error) {
    if (!(error instanceof ZonewiseError)) throw error
    services.log.debug('catalog barrier failed', { code: error.code })
    return { topics, fresh: false }
  }
  return { topics: names.map((name) => find(services, name)), fresh: true }
}

/** Waits until a change just made is in this node's view; if it cannot be known, clients ask again. */
export async function awaitCatalog(services: GatewayServices): Promise<void> {
  try {
    await services.catalog.barrier()
  } catch (error) {
    if (!(error instanceof ZonewiseError)) throw error
    services.log.debug('catalog barrier failed', { code: error.code })
  }
}
