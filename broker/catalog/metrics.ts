/** Metrics of the catalog, as a node's view has it. */
import type { CatalogReader } from '#shared/cluster/catalog-reader.ts'
import type { Metrics, MetricsTable } from '#shared/metrics/metrics.ts'

export const CATALOG_METRICS = {
  topics: { name: 'zonewise_catalog_topics', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Topics that this zone knows.' },
  partitions: { name: 'zonewise_catalog_partitions', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Partitions of all topics that this zone knows.' }
} as const satisfies MetricsTable

export function exposeCatalog(metrics: Metrics, zone: string, catalog: Pick<CatalogReader, 'topics'>): void {
  metrics.poll(CATALOG_METRICS.topics, () => [[{ zone }, catalog.topics().length]])
  metrics.poll(CATALOG_METRICS.partitions, () =>
    [[{ zone }, catalog.topics().reduce((sum, { partitionCount }) => sum + partitionCount, 0)]])
}
