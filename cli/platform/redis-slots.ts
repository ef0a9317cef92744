/**
 * Hash slots of a Redis Cluster: which one a key is in, and who serves it.
 * Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ (CRC-16/XMODEM of what stands
 * between the first braces) and https://redis.io/docs/latest/commands/cluster-slots/
 */
import type { RedisEndpoint } from '#shared/journal/redis-address.ts'
import { bytesOf, fieldOf, listOf, textOf } from '#shared/journal/redis-replies.ts'
import type { RedisValue } from '#shared/runtime/redis.ts'

const SLOTS = 16_384
const POLYNOMIAL = 0x1021

export type SlotRange = {
  readonly from: number
  readonly to: number // inclusive
  readonly endpoint: RedisEndpoint
}

export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  const tag = close > open + 1 ? key.slice(open + 1, close) : key
  let crc = 0
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ ((crc & 0x8000) === 0 ? 0 : POLYNOMIAL)) & 0xffff
  }
  return crc % SLOTS
}

export function endpointName({ host, port }: RedisEndpoint): string {
  return `${host}:${port}`
}

/** What CLUSTER SLOTS answered; `asked` stands in where the server does not know its own name. */
export function parseSlotMap(reply: RedisValue, asked: RedisEndpoint): SlotRange[] {
  return listOf(reply).map((range) => {
    const primary = fieldOf(range, 2)
    const host = fieldOf(primary, 0) === null ? '' : textOf(bytesOf(fieldOf(primary, 0)))
    const endpoint = { host: host === '' || host === '?' ? asked.host : host, port: Number(fieldOf(primary, 1)) }
    return { from: Number(fieldOf(range, 0)), to: Number(fieldOf(range, 1)), endpoint }
  })
}

/** Who serves which slot, as of one answer. */
export class SlotMap {
  readonly endpoints: ReadonlyMap<string, RedisEndpoint> // of the primaries, by name
  readonly #bySlot: (RedisEndpoint | undefined)[] = Array(SLOTS)

  constructor(ranges: readonly SlotRange[]) {
    const endpoints = new Map<string, RedisEndpoint>()
    for (const { from, to, endpoint } of ranges) {
      const known = endpoints.get(endpointName(endpoint)) ?? endpoint
      endpoints.set(endpointName(known), known)
      this.#bySlot.fill(known, from, to + 1)
    }
    this.endpoints = endpoints
  }

  endpointOf(slot: number): RedisEndpoint | undefined {
    return this.#bySlot[slot]
  }
}
