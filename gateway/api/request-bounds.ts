/** Bounds on what one request may name, and on how much of it is worked on at once. */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { GatewayServices } from './handler.ts'

const TOGETHER_MAX = 64 // calls to other nodes that one request has under way

/** @throws ZonewiseError FRAME_INVALID (the connection closes) if a request names more than `requestPartitionsMax`. */
export function checkNamed(services: GatewayServices, count: number): void {
  const max = services.settings.requestPartitionsMax
  if (count > max) throw new ZonewiseError('FRAME_INVALID', 'request names too many partitions', { count, max })
}

/**
 * The first item of each key, in order, and whether others have its key too: Kafka answers those once,
 * and refuses them.
 */
export function oncePerKey<Item>(items: readonly Item[], keyOf: (item: Item) => string): {
  readonly item: Item; readonly repeated: boolean
}[] {
  return [...Map.groupBy(items, keyOf).values()].map((same) => ({ item: same[0]!, repeated: same.length > 1 }))
}

/** Calls `fn` on every item, a bounded number at a time; results in the order of the items. */
export async function mapTogether<Item, Result>(
  items: readonly Item[], fn: (item: Item) => Promise<Result>
): Promise<Result[]> {
  const results: Result[] = []
  for (let at = 0; at < items.length; at += TOGETHER_MAX) {
    results.push(...await Promise.all(items.slice(at, at + TOGETHER_MAX).map(fn)))
  }
  return results
}
