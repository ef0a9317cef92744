/** The id that a PUT leaves in its object's metadata: a retry that meets the object of its own first try knows it. */
import { randomHex } from '../../runtime/random-hex.ts'
import type { Chance } from '../../runtime/runtime.ts'

export const PUT_ID_NAME = 'zonewise-put-id'
export const PUT_ID_HEADER = `x-amz-meta-${PUT_ID_NAME}`
const NONCE_BYTES = 12

/** Ids of one store in one process: a random beginning, then a count. */
export class PutIds {
  readonly #nonce: string
  #count = 0

  constructor(chance: Chance) {
    this.#nonce = randomHex(chance, NONCE_BYTES)
  }

  next(): string {
    this.#count += 1
    return `${this.#nonce}-${this.#count}`
  }
}
