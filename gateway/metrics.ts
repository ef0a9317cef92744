/** Metrics of the gateway's listeners. */
import { SECONDS_BUCKETS, type Counter, type Gauge, type Histogram, type Metrics, type MetricsTable } from '#shared/metrics/metrics.ts'

export const LISTENER_METRICS = {
  connections: { name: 'zonewise_gateway_connections', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Client connections open.' },
  refusals: { name: 'zonewise_gateway_refusals_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Client connections closed because of what they sent, or for want of room.' },
  requests: { name: 'zonewise_gateway_requests_total', type: 'counter', unit: 'count', labels: ['zone', 'api'], help: 'Requests of clients begun.' },
  requestSeconds: { name: 'zonewise_gateway_request_seconds', type: 'histogram', unit: 'seconds', labels: ['zone', 'api'], buckets: SECONDS_BUCKETS, help: 'From the start of a request to its answer, waiting of long polls included.' },
  requestBytes: { name: 'zonewise_gateway_request_held_bytes', type: 'gauge', unit: 'bytes', labels: ['zone'], help: 'Bytes of requests in work or waiting.' },
  answerBytes: { name: 'zonewise_gateway_answer_held_bytes', type: 'gauge', unit: 'bytes', labels: ['zone'], help: 'Bytes of answers that clients have yet to read, or that are being made.' }
} as const satisfies MetricsTable

export type ApiMetrics = { readonly requests: Counter; readonly seconds: Histogram }

/** The handles of one gateway. Gateways of one zone in one process share them: gauges are added to, never set. */
export class ListenerMetrics {
  readonly connections: Gauge
  readonly refusals: Counter
  readonly requestBytes: Gauge
  readonly answerBytes: Gauge
  readonly #metrics: Metrics
  readonly #zone: string
  readonly #apis = new Map<string, ApiMetrics>()

  constructor(metrics: Metrics, zone: string) {
    this.#metrics = metrics
    this.#zone = zone
    this.connections = metrics.gauge(LISTENER_METRICS.connections, { zone })
    this.refusals = metrics.counter(LISTENER_METRICS.refusals, { zone })
    this.requestBytes = metrics.gauge(LISTENER_METRICS.requestBytes, { zone })
    this.answerBytes = metrics.gauge(LISTENER_METRICS.answerBytes, { zone })
  }

  /** `api` is a name of the table of APIs, so there are few. */
  ofApi(api: string): ApiMetrics {
    let handles = this.#apis.get(api)
    if (handles === undefined) {
      const labels = { zone: this.#zone, api }
      handles = {
        requests: this.#metrics.counter(LISTENER_METRICS.requests, labels),
        seconds: this.#metrics.histogram(LISTENER_METRICS.requestSeconds, labels)
      }
      this.#apis.set(api, handles)
    }
    return handles
  }
}
