/**
 * Makes one chunk durable in the store, once, whatever the store answers: an unknown outcome is settled by trying again
 * and, where the key is taken, by reading back the trailer. Equal checksum: it is this chunk.
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { CHUNK } from '#shared/object/chunk.ts'
import { sleep, type Runtime } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import type { SealedChunk } from './open-chunk.ts'

const BACKOFF_FIRST_MS = 20
const BACKOFF_MAX_MS = 1_000

/**
 * Resolves when durable. @throws ZonewiseError STORE_UNAVAILABLE after `giveUpMs`, STORE_FULL, STORE_REFUSED: the chunk
 * must not be committed. OBJECT_EXISTS: another writer uses the source, which must end.
 */
export async function writeChunk(
  store: ObjectStore, chunk: SealedChunk, runtime: Runtime, giveUpMs: number
): Promise<void> {
  const endMs = runtime.clock.monotonicMs() + giveUpMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await putOnce(store, chunk)
    } catch (error) {
      if (!(error instanceof ZonewiseError)) throw error
      if (error.code !== 'STORE_UNAVAILABLE' || runtime.clock.monotonicMs() >= endMs) throw error
      const backoffMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempt, 10))
      await sleep(runtime.timer, backoffMs / 2 + runtime.chance.below(Math.ceil(backoffMs / 2) + 1))
    }
  }
}

async function putOnce(store: ObjectStore, chunk: SealedChunk): Promise<void> {
  try {
    await store.putIfAbsent(chunk.key, [...chunk.payload, chunk.footer])
  } catch (error) {
    const taken = error instanceof ZonewiseError && error.code === 'OBJECT_EXISTS'
    if (!taken || !(await isOurs(store, chunk))) throw error
  }
}

/** Equal length and trailer mean equal chunks. @throws ZonewiseError STORE_UNAVAILABLE: not known yet */
async function isOurs(store: ObjectStore, { key, footer, payloadBytes }: SealedChunk): Promise<boolean> {
  const found = await store.head(key)
  if (found === null) throw new ZonewiseError('STORE_UNAVAILABLE', 'chunk exists and is not there', { key })
  if (found.bytes !== payloadBytes + footer.byteLength) return false
  const trailer = await store.get(key, { start: found.bytes - CHUNK.trailerBytes, end: found.bytes })
  return Buffer.compare(trailer, footer.subarray(-CHUNK.trailerBytes)) === 0
}
