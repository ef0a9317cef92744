/** The gateway role of a node: listeners for the clients of its zone, and what their requests need. Owns nothing that lasts. */
import type { ListenerInfo } from '#shared/cluster/membership.ts'
import type { Network } from '#shared/runtime/network.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import { ProducerIds } from './api/producer-ids.ts'
import type { GatewayServices } from './api/handler.ts'
import { SERVED } from './api/served.ts'
import { watchZoneReaders } from './fetch/zone-readers.ts'
import { AnswerBytes } from './listener/answer-bytes.ts'
import { Listeners } from './listener/listeners.ts'
import { ListenerMetrics } from './metrics.ts'
import { ClientZones } from './zone/client-zones.ts'
import { expectGuests, sayFarewell, type FarewellParts } from './zone/farewell.ts'
import { Guests } from './zone/guests.ts'

const LOOK_MS = 50
const IDLE_MS = 250
const HEARD_MS = 100 // the other gateways know by then
const COME_BACK_MS = 1_000 // clients that connect again have by then

export type GatewayParts = Omit<GatewayServices, 'producerIds' | 'answerBytes' | 'clientZones' | 'guests'> & {
  readonly network: Network
  readonly zones: readonly string[] // of the cluster, those whose nodes are all gone too
}

export class Gateway {
  readonly #listeners: Listeners
  readonly #clientZones: ClientZones
  readonly #services: GatewayServices
  readonly #farewell: FarewellParts
  readonly #unwatchReaders: () => void

  /** The ledger, ingest and fetcher belong to the caller, who starts and stops them. */
  constructor({ network, zones, ...parts }: GatewayParts) {
    const metrics = new ListenerMetrics(parts.metrics, parts.zone)
    const answerBytes = new AnswerBytes(parts.settings.answerBytesMax, metrics.answerBytes)
    const clientZones = new ClientZones({ ...parts, zones, followsClaims: parts.settings.misZoned === 're-advertise' })
    const { settings: { guestsMax }, runtime: { clock } } = parts
    const guests = new Guests({ clock, guestsMax, isServed: (zone) => clientZones.isServed(zone) })
    const services: GatewayServices = { ...parts, producerIds: new ProducerIds(parts), answerBytes, clientZones, guests }
    this.#services = services
    this.#clientZones = clientZones
    this.#listeners = new Listeners(services, SERVED, network, metrics)
    this.#farewell = { ...parts, guestsMax, connected: () => this.#listeners.connected() }
    expectGuests(this.#farewell, guests)
    this.#unwatchReaders = watchZoneReaders(parts)
  }

  /**
   * Binds the listeners and serves. Returns them as they are to be announced, with the ports that were bound.
   * @throws ZonewiseError PORT_IN_USE, with nothing left bound.
   */
  start(listeners: readonly ListenerInfo[]): Promise<ListenerInfo[]> {
    return this.#listeners.start(listeners)
  }

  /**
   * Before the node stops: tells another zone of its clients if their own has no other gateway. Resolves with whether
   * they may be sent away, as `stopping` announces.
   */
  sayFarewell(): Promise<boolean> {
    return sayFarewell(this.#farewell)
  }

  /**
   * Once the node drains and others serve its clients: waits until its clients had `drainMs` to go to those, or all
   * have gone. Elsewhere clients come back to this node, and are not kept waiting. Halfway `unlist` takes
   * its addresses off the registry, so that Metadata lists it no more, and it ends connections over which nothing is
   * asked: who kept one for later (librdkafka to its coordinator) connects again and learns where to go, as long as
   * somebody listens here; afterwards it would surface an error.
   */
  async clientsMoved(unlist: () => Promise<void>): Promise<void> {
    const { runtime: { clock, timer }, settings: { drainMs } } = this.#services
    const endMs = this.#clientZones.leavingSinceMs + drainMs
    let quietMs = clock.monotonicMs() // nobody is about to come back from then on
    let isSwept = false
    for (;;) {
      const nowMs = clock.monotonicMs()
      if (!this.#clientZones.leaving.aborted || nowMs >= endMs) return
      if (this.#listeners.connectionCount === 0 && nowMs >= quietMs) return
      if (!isSwept && endMs - nowMs <= drainMs / 2) {
        isSwept = true
        await unlist()
        await sleep(timer, HEARD_MS)
        this.#listeners.endIdle(IDLE_MS)
        quietMs = clock.monotonicMs() + COME_BACK_MS
      }
      await sleep(timer, LOOK_MS)
    }
  }

  /** Accepts nothing more, answers what is in work within `stopDrainMs`, ends all connections. */
  async stop(): Promise<void> {
    this.#unwatchReaders()
    await this.#listeners.stop()
    this.#clientZones.close()
  }
}
