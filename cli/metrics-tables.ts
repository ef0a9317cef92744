/** All metrics of a process, for docs/metrics.md. */
import { LISTENER_METRICS } from '#gateway/metrics.ts'
import type { MetricsTable } from '#shared/metrics/metrics.ts'
import { LEDGER_METRICS, PROCESS_METRICS } from './metrics.ts'

export const METRICS_TABLES: readonly { readonly part: string; readonly table: MetricsTable }[] = [
  { part: 'ledger', table: LEDGER_METRICS },
  { part: 'process', table: PROCESS_METRICS },
  { part: 'gateway', table: LISTENER_METRICS }
]
