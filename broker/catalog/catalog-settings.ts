/** What the catalog takes from the settings of the process. */
import type { BrokerSettings } from '../config.ts'
import type { CatalogLimits } from './catalog-plan.ts'
import type { UpkeepSettings } from './catalog-upkeep.ts'
import type { StepSettings } from './topic-steps.ts'

type TopicDefaults = { readonly numPartitions: number; readonly defaultReplicationFactor: number }

export function catalogLimits(settings: BrokerSettings, defaults: TopicDefaults): CatalogLimits {
  return {
    topicPartitionsMax: settings.topicPartitionsMax,
    partitionsMax: settings.clusterPartitionsMax,
    producerIdsMax: settings.producerIdsMax,
    defaultPartitionCount: defaults.numPartitions,
    defaultReplicationFactor: defaults.defaultReplicationFactor
  }
}

export function catalogSettings(settings: BrokerSettings): StepSettings & { readonly callsMax: number } {
  return {
    callsMax: settings.catalogCallsMax,
    topicsMax: settings.catalogTopicsBusyMax,
    callTimeoutMs: settings.catalogStepTimeoutMs,
    retryMinMs: settings.catalogRetryMinMs,
    retryMaxMs: settings.catalogRetryMaxMs
  }
}

export function upkeepSettings(settings: BrokerSettings): UpkeepSettings {
  return {
    roundMs: settings.catalogUpkeepMs,
    goneMs: settings.nodeGoneMs,
    versionMax: settings.clusterVersionMax,
    callTimeoutMs: settings.catalogStepTimeoutMs
  }
}
