/** All metrics of a process, for docs/metrics.md. */
import { CACHE_METRICS } from '#broker/cache/metrics.ts'
import { CATALOG_METRICS } from '#broker/catalog/metrics.ts'
import { GROUP_METRICS } from '#broker/group/metrics.ts'
import { READER_METRICS } from '#broker/reader/metrics.ts'
import { SHARD_METRICS } from '#broker/shard/metrics.ts'
import { FETCH_METRICS } from '#gateway/fetch/metrics.ts'
import { INGEST_METRICS } from '#gateway/ingest/metrics.ts'
import { LISTENER_METRICS } from '#gateway/metrics.ts'
import { JOURNAL_METRICS } from '#shared/journal/metrics.ts'
import { STORE_METRICS } from '#shared/store/metrics.ts'
import type { MetricsTable } from '#shared/metrics/metrics.ts'
import { RPC_METRICS } from '#shared/transport/metrics.ts'
import { LEDGER_METRICS, PROCESS_METRICS } from './metrics.ts'

export const METRICS_TABLES: readonly { readonly part: string; readonly table: MetricsTable }[] = [
  { part: 'ledger', table: LEDGER_METRICS },
  { part: 'process', table: PROCESS_METRICS },
  { part: 'gateway', table: LISTENER_METRICS },
  { part: 'ingest', table: INGEST_METRICS },
  { part: 'fetch', table: FETCH_METRICS },
  { part: 'reader', table: READER_METRICS },
  { part: 'cache', table: CACHE_METRICS },
  { part: 'shard', table: SHARD_METRICS },
  { part: 'group', table: GROUP_METRICS },
  { part: 'catalog', table: CATALOG_METRICS },
  { part: 'store', table: STORE_METRICS },
  { part: 'journal', table: JOURNAL_METRICS },
  { part: 'streams between nodes', table: RPC_METRICS }
]
