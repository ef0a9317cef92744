/** Seeded chance for simulation and tests: the same seed gives the same draws on every machine. Not for secrets. */
import assert from 'node:assert/strict'
import type { Chance } from './runtime.ts'

export class Rng implements Chance {
  readonly #state = new Uint32Array(4)

  constructor(seed: number) {
    assert(Number.isSafeInteger(seed))
    let mixed = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0
    for (let i = 0; i < 4; i++) { // splitmix32: neighbouring seeds start far apart
      mixed = (mixed + 0x9e3779b9) >>> 0
      let word = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97)
      this.#state[i] = (word ^ (word >>> 15)) >>> 0
    }
  }

  /** 32 random bits (xoshiro128**). */
  uint32(): number {
    const s = this.#state
    const five = Math.imul(s[1]!, 5)
    const result = Math.imul((five << 7) | (five >>> 25), 9) >>> 0
    const shifted = s[1]! << 9
    s[2]! ^= s[0]!
    s[3]! ^= s[1]!
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= shifted
    s[3] = (s[3]! << 11) | (s[3]! >>> 21)
    return result
  }

  /** A number in [0, 1). */
  fraction(): number {
    return this.uint32() / 2 ** 32
  }

  below(below: number): number {
    assert(Number.isSafeInteger(below) && below >= 1)
    if (below <= 2 ** 32) return Math.floor(this.fraction() * below)
    return (this.uint32() * 2 ** 21 + (this.uint32() >>> 11)) % below
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count)
    for (let i = 0; i < count; i++) bytes[i] = this.uint32() & 0xff
    return bytes
  }

  /** A UUID of version 4. */
  uuid(): string {
    const bytes = this.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const hex = Buffer.from(bytes.buffer).toString('hex')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }

  /** A generator of its own, drawn from this one. */
  fork(): Rng {
    return new Rng(this.uint32())
  }
}
