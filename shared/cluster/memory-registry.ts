/**
 * Registry in memory, for tests and simulation. The medium outlives the nodes: each node opens it for itself, as each
 * process does with Redis, and may be cut off from it.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { type Clock, sleep, type Timer } from '../runtime/runtime.ts'
import type { NodeEntry, Registry, RegistryState, Renewal, RenewOptions, Vitals } from './registry.ts'

type Held = { entry: NodeEntry; expiresMs: number; vitals: Vitals }

/** What would lie in Redis. */
export class MemoryRegistryMedium {
  readonly held = new Map<number, Held>()
  readonly listeners = new Set<() => void>()
  version = 0
  readonly clock: Clock

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Lets go of what was not renewed in time. */
  expire(): void {
    const nowMs = this.clock.monotonicMs()
    let changed = false
    for (const [nodeId, { expiresMs }] of this.held) if (expiresMs <= nowMs) changed = this.held.delete(nodeId)
    if (changed) this.change()
  }

  change(): void {
    this.version += 1
    for (const listener of this.listeners) listener()
  }

  state(): RegistryState {
    const entries = [...this.held.values()].map(({ entry }) => entry).sort((a, b) => a.nodeId - b.nodeId)
    return { version: this.version, entries }
  }
}

export type MemoryRegistryFaults = { cutOff: boolean; delayMs: number }

/** One node's way to the medium. */
export class MemoryRegistry implements Registry {
  /** May be changed at any time: the next call follows it. */
  readonly faults: MemoryRegistryFaults = { cutOff: false, delayMs: 0 }
  readonly #medium: MemoryRegistryMedium
  readonly #timer: Timer
  #announced = false

  constructor(medium: MemoryRegistryMedium, timer: Timer) {
    this.#medium = medium
    this.#timer = timer
  }

  renew(own: NodeEntry, { knownVersion, ttlMs, vitals }: RenewOptions): Promise<Renewal> {
    return this.#call((medium): Renewal => {
      const held = medium.held.get(own.nodeId)
      if (held !== undefined && held.entry.nodeEpoch > own.nodeEpoch)
        return { kind: 'superseded', nodeEpoch: held.entry.nodeEpoch }
      const changed = held?.entry.nodeEpoch !== own.nodeEpoch || held.entry.content !== own.content
      medium.held.set(own.nodeId, { entry: own, expiresMs: medium.clock.monotonicMs() + ttlMs, vitals })
      if (changed) medium.change()
      const state = medium.version === knownVersion ? null : medium.state()
      const wasGone = held === undefined && this.#announced
      this.#announced = true
      return { kind: 'renewed', version: medium.version, state, wasGone }
    })
  }

  remove(nodeId: number, nodeEpoch: number): Promise<void> {
    this.#announced = false
    return this.#call((medium) => {
      const held = medium.held.get(nodeId)
      if (held === undefined || held.entry.nodeEpoch > nodeEpoch) return
      medium.held.delete(nodeId)
      medium.change()
    })
  }

  holder(nodeId: number): ReturnType<Registry['holder']> {
    return this.#call(({ held, clock }) => {
      const found = held.get(nodeId)
      if (found === undefined) return null
      return { nodeEpoch: found.entry.nodeEpoch, expiresInMs: found.expiresMs - clock.monotonicMs() }
    })
  }

  read(): ReturnType<Registry['read']> {
    return this.#call((medium) => {
      const vitals = new Map([...medium.held].map(([nodeId, held]) => [nodeId, held.vitals]))
      return { ...medium.state(), vitals }
    })
  }

  onChange(fn: () => void): () => void {
    const listener = (): void => { if (!this.faults.cutOff) this.#timer.soon(fn) }
    this.#medium.listeners.add(listener)
    return () => { this.#medium.listeners.delete(listener) }
  }

  async #call<T>(effect: (medium: MemoryRegistryMedium) => T): Promise<T> {
    const { delayMs } = this.faults
    if (delayMs > 0) await sleep(this.#timer, delayMs)
    if (this.faults.cutOff) throw new ZonewiseError('REGISTRY_UNAVAILABLE', 'the registry does not answer')
    this.#medium.expire()
    return effect(this.#medium)
  }
}
