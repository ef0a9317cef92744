/** Checks of the object store: it answers, takes the credentials, does what Zonewise relies on, shares our time. */
import { randomHex } from '#shared/runtime/random-hex.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { type OpenedStore, openStore, type OpenStoreOptions } from '../node/open-store.ts'
import { failure, type Finding, ok, warn } from './finding.ts'

const CHECK = 'store'
const WHY = 'records are kept there'
const SKEW_MS_MAX = 60_000 // S3 refuses requests from 15 minutes on

/** @returns the store if it can be used, for more checks; the caller closes it. */
export async function checkStore(
  options: OpenStoreOptions & { readonly store: string }
): Promise<{ readonly opened: OpenedStore | null; readonly findings: readonly Finding[] }> {
  const { store: place, runtime } = options
  try {
    const opened = await openStore({ ...options, isShared: true })
    const isBucket = place.startsWith('s3:')
    const found = isBucket
      ? `${place} answers, takes the credentials, and has conditional writes, ordered lists and ranges`
      : `${place} can be used`
    return { opened, findings: [ok(CHECK, found), ...isBucket ? [await checkClock(opened.store, runtime)] : []] }
  } catch (error) {
    return { opened: null, findings: [failure(CHECK, error, WHY)] }
  }
}

/** By the time that the store gives to an object that was just written. */
async function checkClock(store: ObjectStore, { clock, chance }: Runtime): Promise<Finding> {
  const key = `meta/probe/clock-${randomHex(chance, 8)}`
  const why = 'a bucket refuses requests whose time is too far from its own'
  try {
    const beforeMs = clock.nowMs()
    await store.put(key, [])
    const takenMs = (await store.head(key))?.modifiedMs ?? beforeMs
    await store.delete(key)
    const middleMs = (beforeMs + clock.nowMs()) / 2
    const seconds = Math.round((takenMs - middleMs) / 1_000)
    const found = seconds === 0 ? 'this machine and the store have the same time'
      : `the clock of the store is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} that of this machine`
    if (Math.abs(takenMs - middleMs) < SKEW_MS_MAX) return ok('clock', found)
    return warn('clock', { found, why, cure: 'set the clock of this machine, by NTP' })
  } catch (error) {
    return failure('clock', error, why)
  }
}
