/** All metrics of a process, for docs/metrics.md. */
import { LISTENER_METRICS } from '#gateway/metrics.ts'
import type { MetricsTable } from '#shared/metrics/metrics.ts'

export const METRICS_TABLES: readonly { readonly part: string; readonly table: MetricsTable }[] = [
  { part: 'gateway', table: LISTENER_METRICS }
]
