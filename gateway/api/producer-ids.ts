/** Producer ids for idempotent producers, given out of blocks that the catalog's leader hands to this node alone. */
import { producerIdsCall } from '#shared/rpc/admin.ts'
import { callCatalog } from './catalog-calls.ts'
import type { GatewayServices } from './handler.ts'

const WAIT_MS = 0

export class ProducerIds {
  #nextId = 0
  #endId = 0 // exclusive
  #refill: Promise<boolean> | null = null // one at a time; whoever finds the block empty waits for it

  /** An id never given out before, or null: the catalog does not answer. */
  async next(services: GatewayServices): Promise<number | null> {
    while (this.#nextId >= this.#endId) {
      this.#refill ??= this.#fetchBlock(services).finally(() => { this.#refill = null })
      if (!await this.#refill) return null
    }
    return this.#nextId++
  }

  async #fetchBlock(services: GatewayServices): Promise<boolean> {
    const { response } = await callCatalog(services, producerIdsCall, { count: services.settings.producerIdBlock }, WAIT_MS)
    if (response === null || response.count <= 0) return false
    this.#nextId = response.firstId
    this.#endId = response.firstId + response.count
    return true
  }
}
