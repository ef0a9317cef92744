/** What all simulated clients share: where the gateways are, a connection that comes back, waiting, retrying. */
import type { Network } from '#shared/runtime/network.ts'
import { sleep, type Timer } from '#shared/runtime/runtime.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import type { Api } from '#shared/wire/api-registry.ts'
import { isKafkaErrorRetriable, KAFKA_ERROR, kafkaErrorName } from '#shared/wire/error-codes.ts'
import { unlike, type History } from '../check/history.ts'
import { Connection, ConnectionLost, type Address } from './connection.ts'

export type ClientParts = {
  readonly name: string
  readonly zone: string
  readonly network: Network
  readonly timer: Timer
  readonly nowMs: () => number
  readonly rng: Rng
  readonly history: History
  /** Gateways by zone; those of dead nodes too. */
  readonly gateways: readonly { readonly zone: string; readonly address: Address }[]
  /** What there is for all: it only grows, and whoever made more of it has been told that it is there. */
  readonly topics: readonly Topic[]
  /** Which gateways it asks: `home` those of its own zone only, `anywhere` all alike; mostly its own unless given. */
  readonly asks?: 'home' | 'anywhere'
  /** Batches in a thousand whose records are big. */
  readonly bigPerMille?: number
}

export type Topic = { readonly name: string; partitionCount: number }

const CONNECT_MS = 1_000
const RETRY_MS = 150
const STAY_MS = 500
const PADDING_BYTES = 300
const BIG_BYTES = { min: 130 * 1_024, more: 200 * 1_024 } // three of them are still one batch
const ABROAD_PER_MILLE = 60 // connections to another zone's gateway though the own zone has one

/** Retriable for clients, and still never right here: nothing damages batches, all topics asked for are there. */
const NEVER = new Set<number>([KAFKA_ERROR.CORRUPT_MESSAGE, KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION])

/** Told so, clients ask where to go: other gateways, mostly of their own zone. */
const MOVED = new Set<number>([KAFKA_ERROR.NOT_LEADER_OR_FOLLOWER, KAFKA_ERROR.NOT_COORDINATOR])
const MOVES_ONE_IN = 4

export class Caller {
  readonly parts: ClientParts
  readonly #open = new Map<Address, Connection>()
  readonly #highWatermarks = new Map<string, number>()
  #connection: Connection | null = null
  #connecting: Promise<Connection> | null = null
  #failures = 0
  #cameMs = -Infinity

  constructor(parts: ClientParts) {
    this.parts = parts
  }

  /** The connection, opened if there is none. @throws ConnectionLost */
  async connection(): Promise<Connection> {
    if (this.#connection !== null && !this.#connection.lost) return this.#connection
    return (this.#connecting ??= this.#connect().finally(() => { this.#connecting = null }))
  }

  /** @throws ConnectionLost */
  async call<Request, Response>(
    api: Api<Request, Response>, version: number, body: Request, timeoutMs: number
  ): Promise<Response> {
    return (await this.connection()).call(api, version, body, timeoutMs)
  }

  /** Repeats `attempt` until it returns something; null, or a lost connection, means once more after a while. */
  async until<T>(attempt: () => Promise<T | null>, goOn: () => boolean = () => true): Promise<T | null> {
    while (goOn()) {
      const result = await attempt().catch((error: unknown) => {
        if (error instanceof ConnectionLost) return null
        throw error
      })
      if (result !== null) return result
      await this.pause(RETRY_MS)
    }
    return null
  }

  /** Bytes that each record of a batch is padded by. */
  padding(): number {
    const { rng, bigPerMille = 0 } = this.parts
    const isBig = bigPerMille > 0 && rng.below(1_000) < bigPerMille
    return isBig ? BIG_BYTES.min + rng.below(BIG_BYTES.more) : rng.below(PADDING_BYTES)
  }

  /** Sleeps up to `ms`. */
  pause(ms: number): Promise<void> {
    return sleep(this.parts.timer, this.parts.rng.below(ms) + 1)
  }

  /** Leaves a gateway that says so, if not at once. */
  heed(code: number): void {
    if (MOVED.has(code) && this.parts.rng.below(MOVES_ONE_IN) === 0) this.wander()
  }

  /** Whether an error code means "again"; a code that may never be said here goes into the history. */
  again(code: number, asked: string): boolean {
    this.heed(code)
    if (isKafkaErrorRetriable(code) && !NEVER.has(code)) return true
    const { name, history } = this.parts
    history.violation(
      'clients get answers they can use',
      unlike(`an answer, or an error to try again after, for ${asked} of ${name}`, `${kafkaErrorName(code) ?? code}`)
    )
    return false
  }

  disconnect(): void {
    this.#connection?.close()
    this.#connection = null
  }

  /**
   * Goes on at another gateway, or the same, as clients do when Metadata names another leader; the connection stays
   * open and is used again when it is drawn again. Nobody comes back sooner than metadata ages.
   */
  wander(): void {
    const { parts: { nowMs } } = this
    if (nowMs() - this.#cameMs < STAY_MS) return
    this.#cameMs = nowMs()
    this.#connection = null
  }

  /** Wherever a client asks, and whoever answers, it never sees a partition's high watermark go back. */
  noteHighWatermark(partition: string, highWatermark: number): void {
    const before = this.#highWatermarks.get(partition) ?? 0
    const { name, history } = this.parts
    if (highWatermark < before) history.violation('no client is sent back', unlike(
      `a high watermark of ${partition} not below ${before} for ${name}`, `${highWatermark}`
    ))
    this.#highWatermarks.set(partition, highWatermark)
  }

  async #connect(): Promise<Connection> {
    const { name, network, timer, history, nowMs } = this.parts
    const address = this.#pick()
    const known = this.#open.get(address)
    const soonMs = this.#connection === null ? 0 : this.#cameMs + STAY_MS - nowMs() // back, for the other is lost
    if (known?.lost === false && soonMs > 0) await sleep(timer, soonMs)
    if (known?.lost === false) return (this.#connection = known)
    const connection = new Connection(
      timer, name, (what) => history.violation('answers come in order', unlike(`the next answer of ${name}`, what))
    )
    try {
      await connection.open(network, address, CONNECT_MS)
    } catch (error) {
      this.#failures += 1
      throw error
    }
    this.#failures = 0
    this.#open.set(address, connection)
    this.#connection = connection
    return connection
  }

  #pick(): Address {
    const { gateways, zone, rng, asks } = this.parts
    const own = gateways.filter((gateway) => gateway.zone === zone)
    const anywhere = asks === 'anywhere' ||
      (asks === undefined && (this.#failures > 2 || rng.below(1_000) < ABROAD_PER_MILLE))
    return rng.pick(anywhere ? gateways : own).address
  }
}
