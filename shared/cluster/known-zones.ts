/**
 * Zones in which the cluster ever had a node: each stands in the store as an empty object, so that one whose nodes are
 * all gone is still told from a name that clients made up.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { ObjectStore } from '../store/object-store.ts'

const PREFIX = 'meta/zones/'

/** Adds `zone`, and answers all. @throws ZonewiseError STORE_* */
export async function knownZones(store: ObjectStore, zone: string): Promise<readonly string[]> {
  const zones: string[] = []
  for (let after = ''; ;) {
    const page = await store.list(PREFIX, { after })
    if (page.length === 0) break
    after = page.at(-1)!.key
    for (const { key } of page) zones.push(key.slice(PREFIX.length))
  }
  if (zones.includes(zone)) return zones
  try {
    await store.putIfAbsent(PREFIX + zone, [])
  } catch (error) {
    if (!(error instanceof ZonewiseError) || error.code !== 'OBJECT_EXISTS') throw error // another node was faster
  }
  return [...zones, zone]
}
