/** Metrics of the streams between nodes: read when somebody asks, nothing is counted by the call. */
import type { Metrics, MetricsTable } from '#shared/metrics/metrics.ts'
import type { TransportFigures } from './network-transport.ts'

export const RPC_METRICS = {
  dialled: { name: 'zonewise_rpc_streams_dialled', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Streams to other nodes that the zone\'s nodes of this process dialled.' },
  accepted: { name: 'zonewise_rpc_streams_accepted', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Streams that other nodes dialled.' },
  callsOut: { name: 'zonewise_rpc_calls_out', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Calls to other nodes that are not answered.' },
  callsIn: { name: 'zonewise_rpc_calls_in', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Calls of other nodes in work.' },
  queuedBytes: { name: 'zonewise_rpc_queued_bytes', type: 'gauge', unit: 'bytes', labels: ['zone'], help: 'Bytes for other nodes that the network has not taken.' },
  dialsFailed: { name: 'zonewise_rpc_dials_failed_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Tries to reach another node that failed or were refused.' },
  streamsLost: { name: 'zonewise_rpc_streams_lost_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Streams to other nodes that ended: calls in flight failed with them.' }
} as const satisfies MetricsTable

const NAMES = Object.keys(RPC_METRICS) as (keyof typeof RPC_METRICS)[]

/** Shows what the transport of a node does. */
export function exposeTransport(metrics: Metrics, zone: string, figures: () => TransportFigures): void {
  for (const name of NAMES) metrics.poll(RPC_METRICS[name], () => [[{ zone }, figures()[name]]])
}
