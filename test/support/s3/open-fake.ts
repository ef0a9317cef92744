/** Opens stores on a fake S3. */
import { newStoreSockets } from '#cli/platform/store-sockets.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { type Log, silentLog } from '#shared/log/log.ts'
import type { Clock } from '#shared/runtime/runtime.ts'
import { type StoreSettings, storeSettings } from '#shared/store/config.ts'
import type { Credentials } from '#shared/store/s3/credentials.ts'
import { openS3Store, type S3Store } from '#shared/store/s3/s3-store.ts'
import type { StoreAttempt } from '#shared/store/store-attempt.ts'
import { FAKE_BUCKET, FAKE_KEY, FAKE_REGION } from './fake-s3.ts'

export type OpenFake = {
  readonly endpoint: string
  readonly bucket?: string
  readonly prefix?: string
  readonly settings?: Partial<StoreSettings>
  readonly credentials?: Credentials | (() => Promise<Credentials>)
  readonly caPem?: string
  readonly log?: Log
  readonly clock?: Clock
  readonly attempts?: StoreAttempt[] // gets every attempt
}

/** Waits are short: tests order their faults. */
const QUICK: Partial<StoreSettings> = { s3BackoffMinMs: 2, s3BackoffMaxMs: 10, s3HedgePercentMax: 0 }

export function openFake(
  { endpoint, bucket = FAKE_BUCKET, prefix = 'clusters/a/', settings, credentials = FAKE_KEY, caPem, log = silentLog, clock = nodeRuntime.clock, attempts }: OpenFake
): Promise<S3Store> {
  const all = { ...storeSettings.defaults(), ...QUICK, s3Endpoint: endpoint, s3Region: FAKE_REGION, ...settings }
  return openS3Store({
    address: { bucket, prefix }, settings: all, credentials, runtime: { ...nodeRuntime, clock }, log, countAttempt: (attempt) => { attempts?.push(attempt) },
    newSocketSource: newStoreSockets({ connectTimeoutMs: all.s3ConnectTimeoutMs, caPem: caPem ?? null })
  })
}
