/** Opens what `--store` names: a folder, memory, or a bucket, which is probed: one that would lose data is refused. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { BrokerSettings } from '#broker/config.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Log } from '#shared/log/log.ts'
import { randomHex } from '#shared/runtime/random-hex.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import type { StoreSettings } from '#shared/store/config.ts'
import { openFileStore } from '#shared/store/file-store.ts'
import { GuardedStore } from '#shared/store/guarded-store.ts'
import { MeasuredStore, type MeasuredStoreOptions } from '#shared/store/measured-store.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { parseS3Address } from '#shared/store/s3/s3-address.ts'
import type { CountAttempt } from '#shared/store/store-attempt.ts'
import { StoreCells } from '#shared/store/store-cells.ts'
import { probeStore } from '#shared/store/store-probe.ts'
import { nodeFiles } from '../platform/node-files.ts'
import { newStoreSockets } from '../platform/store-sockets.ts'

export type Env = Readonly<Record<string, string | undefined>>

export type OpenStoreOptions = {
  readonly store: string | undefined
  readonly data: string
  readonly runtime: Runtime
  readonly log: Log
  readonly brokerSettings: BrokerSettings
  readonly storeSettings: StoreSettings
  readonly env: Env // for what every AWS tool reads there
  /** Other processes may have the same folder open: nodes of a cluster, or the server that a doctor looks at. */
  readonly isShared?: boolean
}

export type OpenedStore = {
  readonly store: ObjectStore
  /** The same store, its bytes and requests counted. */
  measured(how: MeasuredStoreOptions): Promise<ObjectStore>
  close(): Promise<void>
}

/** @throws ZonewiseError SETTING_INVALID, STORE_UNFIT, and what the store's calls throw. */
export async function openStore(options: OpenStoreOptions): Promise<OpenedStore> {
  const { store, data, runtime, brokerSettings, isShared = false } = options
  if (store?.startsWith('s3:') === true) return openBucket(options, store)
  const opened = store === 'memory:' ? new MemoryStore(runtime.clock)
    : await openFileStore({
      files: nodeFiles, root: folderOf(store, data, 'store'), handlesMax: brokerSettings.storeFilesOpenMax,
      ...(isShared ? { shared: { name: randomHex(runtime.chance, 8), nowMs: runtime.clock.nowMs() } } : {})
    })
  const guarded = new GuardedStore(opened, runtime.clock, brokerSettings.storeFreeBytesMin)
  return {
    store: guarded,
    measured: async (how) => new MeasuredStore(guarded, how),
    close: () => guarded.close()
  }
}

/** The folder that `place` (`file:FOLDER`) names; without it `name` inside `data`. @throws ZonewiseError */
export function folderOf(place: string | undefined, data: string, name: string): string {
  if (place === undefined) return resolve(data, name)
  if (place.startsWith('file:') && place.length > 'file:'.length) return resolve(place.slice('file:'.length))
  const choices = name === 'store' ? 'file:FOLDER, memory: or s3://bucket/prefix' : 'file:FOLDER or memory:'
  throw new ZonewiseError('SETTING_INVALID', `--${name} is none of ${choices}`, { [name]: place })
}

/** Each zone has connections of its own, since each counts its own bytes. */
async function openBucket({ runtime, log, storeSettings, env }: OpenStoreOptions, place: string): Promise<OpenedStore> {
  const { openS3Store } = await import('#shared/store/s3/s3-store.ts') // the SDK takes 0.2 s: who needs it loads it
  const settings = withAwsEnv(storeSettings, env)
  const caFile = settings.s3CaFile === '' ? env['AWS_CA_BUNDLE'] ?? '' : settings.s3CaFile
  const caPem = caFile === '' ? null : readPem(caFile)
  const newSocketSource = newStoreSockets({ connectTimeoutMs: settings.s3ConnectTimeoutMs, caPem })
  const address = parseS3Address(place)
  const opened: ObjectStore[] = []
  const open = async (countAttempt: CountAttempt): Promise<ObjectStore> => {
    const common = { address, settings, newSocketSource, runtime, log }
    const store = await openS3Store({ ...common, credentials: null, countAttempt })
    opened.push(store)
    return store
  }
  const close = async (): Promise<void> => { await Promise.all(opened.map((store) => store.close())) }
  const store = await open(() => {}) // of the cluster as a whole: it has no zone
  try {
    await probeStore(store, runtime.chance)
  } catch (error) {
    await close()
    throw aboutReach(error, settings)
  }
  return {
    store,
    measured: async (how) => {
      const counted = await open(new StoreCells(how.ledger, how.zone).count)
      return new MeasuredStore(counted, { ...how, countedInside: true })
    },
    close
  }
}

/** A store that gives no answer at the start, in words that stay the same from one try to the next. */
function aboutReach(error: unknown, { s3Endpoint }: StoreSettings): unknown {
  if (!(error instanceof ZonewiseError) || error.code !== 'STORE_UNAVAILABLE') return error
  const { bucket, endpoint = s3Endpoint, status, code, says } = error.context
  const message = status === undefined || status === 0 ? 'the object store cannot be reached'
    : 'the object store takes no call now'
  const cure = 'check that it runs, and --store and --s3-endpoint'
  return new ZonewiseError(error.code, message, { bucket, endpoint, status, code, reason: says, cure }, error)
}

/** What the SDK for JavaScript does not read itself, or what we must know before it. */
function withAwsEnv(settings: StoreSettings, env: Env): StoreSettings {
  const ignored = env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] === 'true'
  const endpoint = ignored ? '' : env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'] ?? ''
  const region = env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? ''
  return { ...settings, s3Endpoint: settings.s3Endpoint || endpoint, s3Region: settings.s3Region || region }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ZonewiseError('SETTING_INVALID', 'cannot read the file of certificates', { s3CaFile: path, why }, error)
  }
}
