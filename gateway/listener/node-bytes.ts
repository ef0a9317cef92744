/** Request bytes of all connections of a node: how many are held, and who waits for room. */
import type { Gauge } from '#shared/metrics/metrics.ts'

export type RoomWaiter = { roomAgain(): void }

export class NodeBytes {
  readonly #bytesMax: number
  readonly #gauge: Gauge
  #bytes = 0 // of complete requests, in work or waiting
  #partialBytes = 0 // room of requests that are not complete
  #waiters = new Set<RoomWaiter>()

  constructor(bytesMax: number, gauge: Gauge) {
    this.#gauge = gauge
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  get isFull(): boolean {
    return this.#bytes >= this.#bytesMax
  }

  /** Incomplete requests are bounded for themselves: waiting would not help, only the client can complete them. */
  get partialOverflows(): boolean {
    return this.#partialBytes > this.#bytesMax
  }

  add(bytes: number): void {
    this.#bytes += bytes
    this.#gauge.add(bytes)
  }

  addPartial(bytes: number): void {
    this.#partialBytes += bytes
  }

  release(bytes: number): void {
    this.#bytes -= bytes
    this.#gauge.add(-bytes)
    if (this.isFull || this.#waiters.size === 0) return
    const waiters = this.#waiters
    this.#waiters = new Set()
    for (const waiter of waiters) waiter.roomAgain()
  }

  /** Calls `waiter.roomAgain` once there is room. */
  waitForRoom(waiter: RoomWaiter): void {
    this.#waiters.add(waiter)
  }

  forget(waiter: RoomWaiter): void {
    this.#waiters.delete(waiter)
  }
}
