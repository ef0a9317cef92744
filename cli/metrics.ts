/** Metrics of the process, and the ledger as metrics: both are read when somebody asks. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import type { Counter, Metrics, MetricsTable } from '#shared/metrics/metrics.ts'

const LEDGER_LABELS = ['from', 'to', 'cause', 'payload', 'crosses'] as const

export const LEDGER_METRICS = {
  bytes: { name: 'zonewise_ledger_bytes_total', type: 'counter', unit: 'bytes', labels: LEDGER_LABELS, help: 'Bytes between places; crosses is true where both are zones and differ.' },
  requests: { name: 'zonewise_ledger_requests_total', type: 'counter', unit: 'count', labels: LEDGER_LABELS, help: 'Requests between places.' }
} as const satisfies MetricsTable

export const PROCESS_METRICS = {
  cpu: { name: 'zonewise_process_cpu_seconds_total', type: 'counter', unit: 'seconds', labels: [], help: 'Processor time used, in user and system mode.' },
  resident: { name: 'zonewise_process_resident_memory_bytes', type: 'gauge', unit: 'bytes', labels: [], help: 'Memory that the process occupies.' },
  heap: { name: 'zonewise_process_heap_used_bytes', type: 'gauge', unit: 'bytes', labels: [], help: 'JavaScript objects in memory.' },
  loopDelay: { name: 'zonewise_process_event_loop_delay_seconds', type: 'gauge', unit: 'seconds', labels: [], help: 'Longest delay of the event loop since the metrics were read last.' }
} as const satisfies MetricsTable

const LOOP_RESOLUTION_MS = 20

/** Adds the ledger's rows to `metrics`. */
export function exposeLedger(metrics: Metrics, rows: () => readonly LedgerRow[]): void {
  const known = new Map<string, { readonly bytes: Counter; readonly requests: Counter; seen: LedgerRow | null }>()
  metrics.beforeRender(() => {
    for (const row of rows()) {
      const { from, to, cause, payload, crosses } = row
      const key = `${from}\0${to}\0${cause}`
      let handles = known.get(key)
      if (handles === undefined) {
        const labels = { from, to, cause, payload: String(payload), crosses: String(crosses) }
        const bytes = metrics.counter(LEDGER_METRICS.bytes, labels)
        known.set(key, (handles = { bytes, requests: metrics.counter(LEDGER_METRICS.requests, labels), seen: null }))
      }
      handles.bytes.add(row.bytes - (handles.seen?.bytes ?? 0))
      handles.requests.add(row.requests - (handles.seen?.requests ?? 0))
      handles.seen = row
    }
  })
}

/** Adds what the process uses to `metrics`. */
export function exposeProcess(metrics: Metrics): void {
  const cpu = metrics.counter(PROCESS_METRICS.cpu)
  const resident = metrics.gauge(PROCESS_METRICS.resident)
  const heap = metrics.gauge(PROCESS_METRICS.heap)
  const loopDelay = metrics.gauge(PROCESS_METRICS.loopDelay)
  const delays = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
  delays.enable()
  let before = { user: 0, system: 0 }
  metrics.beforeRender(() => {
    const now = process.cpuUsage()
    cpu.add((now.user - before.user + now.system - before.system) / 1e6)
    before = now
    const memory = process.memoryUsage()
    resident.set(memory.rss)
    heap.set(memory.heapUsed)
    loopDelay.set(delays.count === 0 ? 0 : Math.max(0, delays.max / 1e9 - LOOP_RESOLUTION_MS / 1e3))
    delays.reset()
  })
}
