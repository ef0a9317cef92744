/** What every stream of a node is made with, and the part of its life that both ends share. */
import type { Log } from '#shared/log/log.ts'
import type { Ledger } from '#shared/ledger/ledger.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { AnyCall, AnyHandler } from './any-call.ts'
import type { TransportSettings } from './config.ts'
import type { ReceiveMemory } from './receive-memory.ts'

/** A stream that has calls in work, and is looked at each `rpcPingMs`. */
export type Busy = {
  /** False: it has none any more. */
  tick(): boolean
}

export type StreamParts = {
  readonly zone: string
  readonly ledger: Ledger
  readonly runtime: Runtime
  readonly log: Log
  readonly settings: TransportSettings
  readonly memory: ReceiveMemory
  readonly handlers: ReadonlyMap<number, Served>
  /** Takes what a handler threw that is no ZonewiseError: a bug. */
  readonly onBug: (error: unknown) => void
  /** From now on `tick` is called, until it says false. */
  watch(busy: Busy): void
}

export type Served = { readonly call: AnyCall; readonly handler: AnyHandler }

/**
 * Tells a dead peer by its silence. Counts turns of this process, not time: one that was stopped itself, or starved,
 * first reads what came meanwhile.
 */
export class Silence {
  readonly #ticksMax: number
  #ticks = 0

  constructor({ rpcPingMs, rpcSilenceMs }: TransportSettings) {
    this.#ticksMax = Math.ceil(rpcSilenceMs / rpcPingMs)
  }

  heard(): void {
    this.#ticks = 0
  }

  /** @returns whether it lasted too long: the tick during which it began does not count. */
  tick(): boolean {
    this.#ticks += 1
    return this.#ticks > this.#ticksMax
  }
}
