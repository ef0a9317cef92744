/** The gateway role of a node: listeners for the clients of its zone, and what their requests need. Owns nothing that lasts. */
import type { ListenerInfo } from '#shared/cluster/membership.ts'
import type { Network } from '#shared/runtime/network.ts'
import { ProducerIds } from './api/producer-ids.ts'
import type { GatewayServices } from './api/handler.ts'
import { SERVED } from './api/served.ts'
import { AnswerBytes } from './listener/answer-bytes.ts'
import { Listeners } from './listener/listeners.ts'
import { ListenerMetrics } from './metrics.ts'

export type GatewayParts = Omit<GatewayServices, 'producerIds' | 'answerBytes'> & { readonly network: Network }

export class Gateway {
  readonly #listeners: Listeners

  /** The ledger, ingest and fetcher belong to the caller, who starts and stops them. */
  constructor({ network, ...parts }: GatewayParts) {
    const metrics = new ListenerMetrics(parts.metrics, parts.zone)
    const answerBytes = new AnswerBytes(parts.settings.answerBytesMax, metrics.answerBytes)
    const services: GatewayServices = { ...parts, producerIds: new ProducerIds(parts), answerBytes }
    this.#listeners = new Listeners(services, SERVED, network, metrics)
  }

  /**
   * Binds the listeners and serves. Returns them as they are to be announced, with the ports that were bound.
   * @throws ZonewiseError PORT_IN_USE, with nothing left bound.
   */
  start(listeners: readonly ListenerInfo[]): Promise<ListenerInfo[]> {
    return this.#listeners.start(listeners)
  }

  /** Accepts nothing more, answers what is in work within `stopDrainMs`, ends all connections. */
  stop(): Promise<void> {
    return this.#listeners.stop()
  }
}
