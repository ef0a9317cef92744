/** Small sealed objects of the store that say what a cluster is. */
import { unsealJson } from '../binary/sealed-json.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { ObjectStore } from '../store/object-store.ts'

/** The members of the object; null: there is none. @throws ZonewiseError OBJECT_CORRUPT, FORMAT_TOO_NEW, STORE_* */
export async function readMeta(
  store: ObjectStore, key: string, format: number
): Promise<Readonly<Record<string, unknown>> | null> {
  let bytes: Uint8Array
  try {
    bytes = await store.get(key)
  } catch (error) {
    if (error instanceof ZonewiseError && error.code === 'OBJECT_MISSING') return null
    throw error
  }
  const unsealed = unsealJson(bytes, format)
  if (unsealed.kind === 'good') return unsealed.value
  if (unsealed.kind === 'newer') {
    const facts = { key, format: unsealed.format, known: format }
    throw new ZonewiseError('FORMAT_TOO_NEW', 'an object of a newer format', facts)
  }
  throw new ZonewiseError('OBJECT_CORRUPT', 'what the store says of its cluster is damaged', { key, position: 0 })
}
