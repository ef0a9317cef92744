/**
 * Whether a static member that came back wants the same as before. Kafka's consumers say more in their metadata than
 * topics (owned partitions, generation), which always differs after a restart and is no reason to rebalance.
 * Source: ConsumerProtocolSubscription: version int16 | topics array of string | ...
 */
import { Reader } from '#shared/binary/reader.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

/** Compares two subscriptions: by topics where both can be read so, else by their bytes. */
export function sameSubscription(protocolType: string, a: Uint8Array, b: Uint8Array): boolean {
  if (Buffer.compare(a, b) === 0) return true
  if (protocolType !== 'consumer') return false
  const [topicsOfA, topicsOfB] = [topicsOf(a), topicsOf(b)]
  return topicsOfA !== null &&
    topicsOfB !== null && topicsOfA.size === topicsOfB.size && topicsOfA.isSubsetOf(topicsOfB)
}

function topicsOf(subscription: Uint8Array): Set<string> | null {
  try {
    const reader = new Reader(subscription)
    reader.int16() // version: topics come first in all of them
    const count = reader.arrayCount(false, 2)
    return count < 0 ? null : new Set(Array.from({ length: count }, () => reader.string(false)))
  } catch (error) {
    if (error instanceof ZonewiseError) return null
    throw error
  }
}
