/** The way of one life's calls to something that all machines share, where directions may be cut. */
import { sleep } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'
import type { Faults } from './faults.ts'
import type { Life } from './life.ts'

export const SILENCE_MS = 1_000 // after which a caller gives a silent peer up

/** Whether nothing that one machine, or `redis`, or `store`, sends now arrives at the other. */
export function isCut({ links }: Faults, from: string, to: string): boolean {
  return links.size > 0 && links.has(`${from}>${to}`)
}

/** A store behind links that may be cut, on the way there or on the way back. */
export function reachedStore(life: Life, store: ObjectStore, faults: Faults, time: VirtualTime): ObjectStore {
  const reach = async <T>(call: string, work: () => Promise<T>): Promise<T> => {
    const silent = async (): Promise<never> => {
      await sleep(time, SILENCE_MS)
      throw new ZonewiseError('STORE_UNAVAILABLE', 'the store is out of reach', { call })
    }
    if (isCut(faults, life.machine, 'store')) return silent()
    const result = await work()
    return isCut(faults, 'store', life.machine) ? silent() : result
  }
  return {
    putIfAbsent: (key, chunks) => reach('putIfAbsent', () => store.putIfAbsent(key, chunks)),
    put: (key, chunks) => reach('put', () => store.put(key, chunks)),
    get: (key, ...more) => reach('get', () => store.get(key, ...more)),
    head: (key) => reach('head', () => store.head(key)),
    list: (prefix, options) => reach('list', () => store.list(prefix, options)),
    delete: (key) => reach('delete', () => store.delete(key)),
    freeBytes: () => store.freeBytes(),
    close: () => store.close()
  }
}
