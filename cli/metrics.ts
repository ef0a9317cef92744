/** Metrics of the process, and the ledger as metrics: both are read when somebody asks. */
import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { MemoryPool } from '#shared/binary/memory-pool.ts'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import type { Labels, MetricRow, Metrics, MetricsTable } from '#shared/metrics/metrics.ts'
import { version } from './version.ts'

const LEDGER_LABELS = ['from', 'to', 'cause', 'payload', 'crosses'] as const

export const LEDGER_METRICS = {
  bytes: { name: 'zonewise_ledger_bytes_total', type: 'counter', unit: 'bytes', labels: LEDGER_LABELS, help: 'Bytes between places; crosses is true where both are zones and differ.' },
  requests: { name: 'zonewise_ledger_requests_total', type: 'counter', unit: 'count', labels: LEDGER_LABELS, help: 'Requests between places.' }
} as const satisfies MetricsTable

export const PROCESS_METRICS = {
  info: { name: 'zonewise_process_info', type: 'gauge', unit: 'count', labels: ['version', 'node'], help: 'Always 1: versions of Zonewise and of Node.' },
  uptime: { name: 'zonewise_process_uptime_seconds', type: 'gauge', unit: 'seconds', labels: [], help: 'Age of the process.' },
  cpu: { name: 'zonewise_process_cpu_seconds_total', type: 'counter', unit: 'seconds', labels: [], help: 'Processor time used, in user and system mode.' },
  resident: { name: 'zonewise_process_resident_memory_bytes', type: 'gauge', unit: 'bytes', labels: [], help: 'Memory that the process occupies.' },
  heap: { name: 'zonewise_process_heap_used_bytes', type: 'gauge', unit: 'bytes', labels: [], help: 'JavaScript objects in memory.' },
  buffers: { name: 'zonewise_process_buffer_bytes', type: 'gauge', unit: 'bytes', labels: [], help: 'Memory of buffers outside the JavaScript heap, the pool of payload included.' },
  pool: { name: 'zonewise_process_pool_bytes', type: 'gauge', unit: 'bytes', labels: ['state'], help: 'Memory of payload: held by somebody, or free to be used again.' },
  loopDelay: { name: 'zonewise_process_event_loop_delay_seconds', type: 'gauge', unit: 'seconds', labels: [], help: 'Longest delay of the event loop since the metrics were read last.' },
  openFiles: { name: 'zonewise_process_open_files', type: 'gauge', unit: 'count', labels: [], help: 'Files and sockets open, where the system tells (Linux).' }
} as const satisfies MetricsTable

const LOOP_RESOLUTION_MS = 100 // each look wakes the process: at 20 ms it was a third of what an idle node used
const OPEN_FILES = '/proc/self/fd'

/** Adds the ledger's rows to `metrics`. */
export function exposeLedger(metrics: Metrics, rows: () => readonly LedgerRow[]): void {
  const labelsOf = ({ from, to, cause, payload, crosses }: LedgerRow): Labels =>
    ({ from, to, cause, payload: String(payload), crosses: String(crosses) })
  metrics.poll(LEDGER_METRICS.bytes, () => rows().map((row) => [labelsOf(row), row.bytes]))
  metrics.poll(LEDGER_METRICS.requests, () => rows().map((row) => [labelsOf(row), row.requests]))
}

/** Adds what the process uses to `metrics`. */
export function exposeProcess(metrics: Metrics): void {
  const delays = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
  delays.enable()
  const one = (row: MetricRow, read: () => number): void => { metrics.poll(row, () => [[{}, read()]]) }
  metrics.gauge(PROCESS_METRICS.info, { version: version(), node: process.versions.node }).set(1)
  one(PROCESS_METRICS.uptime, () => process.uptime())
  one(PROCESS_METRICS.cpu, () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  one(PROCESS_METRICS.resident, () => process.memoryUsage.rss())
  one(PROCESS_METRICS.heap, () => process.memoryUsage().heapUsed)
  one(PROCESS_METRICS.buffers, () => process.memoryUsage().arrayBuffers)
  one(PROCESS_METRICS.loopDelay, () => {
    const longest = delays.count === 0 ? 0 : Math.max(0, delays.max / 1e9 - LOOP_RESOLUTION_MS / 1e3)
    delays.reset()
    return longest
  })
  const openFiles = countOpenFiles()
  if (openFiles !== null) one(PROCESS_METRICS.openFiles, () => countOpenFiles() ?? 0)
}

/** Adds the memory of payload to `metrics`. */
export function exposeMemory(metrics: Metrics, memory: MemoryPool): void {
  metrics.poll(PROCESS_METRICS.pool, () =>
    [[{ state: 'held' }, memory.heldBytes], [{ state: 'free' }, memory.freeBytes]])
}

/** Null where the system does not tell. */
function countOpenFiles(): number | null {
  try {
    return readdirSync(OPEN_FILES).length - 1 // without the folder itself
  } catch {
    return null
  }
}
