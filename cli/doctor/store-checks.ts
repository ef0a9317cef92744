/** Checks of the object store: it answers, takes the credentials, does what Zonewise relies on, shares our time. */
import { randomHex } from '#shared/runtime/random-hex.ts'
import { type Log, silentLog } from '#shared/log/log.ts'
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
  const elsewhere = new Elsewhere()
  try {
    const opened = await openStore({ ...options, log: elsewhere.log, isShared: true })
    const isBucket = place.startsWith('s3:')
    const found = isBucket
      ? `${place} answers, takes the credentials, and has conditional writes, ordered lists and ranges`
      : `${place} can be used`
    const more = isBucket ? [...elsewhere.findings, await checkClock(opened.store, runtime)] : []
    return { opened, findings: [ok(CHECK, found), ...more] }
  } catch (error) {
    return { opened: null, findings: [failure(CHECK, error, WHY)] }
  }
}

/** Hears that the bucket is in another region than the one given: a node uses it there all the same, and warns. */
class Elsewhere {
  readonly findings: Finding[] = []
  readonly log: Log = {
    ...silentLog, warn: (_message, { given, region } = {}) => {
      if (typeof given !== 'string' || typeof region !== 'string' || this.findings.length > 0) return
      this.findings.push(warn(CHECK, {
        found: `the bucket is in ${region}, not in ${given}`,
        why: 'every start asks the wrong region first', cure: `give --s3-region ${region}`
      }))
    }
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
