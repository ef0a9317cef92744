/** Producer ids for idempotent producers, given out of blocks that the catalog's leader hands to this node alone. */
import { producerIdsCall } from '#shared/rpc/admin.ts'
import { callCatalog, type CatalogCaller } from './catalog-calls.ts'
import type { ProducerIdSource } from './handler.ts'

const WAIT_MS = 0

export class ProducerIds implements ProducerIdSource {
  readonly #caller: CatalogCaller
  #nextId = 0
  #endId = 0 // exclusive
  #refill: Promise<boolean> | null = null // one at a time; whoever finds the block empty waits for it

  constructor(caller: CatalogCaller) {
    this.#caller = caller
  }

  async next(): Promise<number | null> {
    while (this.#nextId >= this.#endId) {
      this.#refill ??= this.#fetchBlock().finally(() => { this.#refill = null })
      if (!await this.#refill) return null
    }
    return this.#nextId++
  }

  async #fetchBlock(): Promise<boolean> {
    const count = this.#caller.settings.producerIdBlock
    const { response } = await callCatalog(this.#caller, producerIdsCall, { count }, WAIT_MS)
    if (response === null || response.count <= 0) return false
    this.#nextId = response.firstId
    this.#endId = response.firstId + response.count
    return true
  }
}
