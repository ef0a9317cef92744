/**
 * Object store in a bucket of S3, or of any server that speaks it and has conditional writes (store-probe.ts finds
 * out). PUT and GET are signed and sent by ourselves; HEAD, LIST and DELETE by the SDK. A PUT that creates leaves an id
 * in its object's metadata, so that a retry that finds the key taken knows the object of its own first try, whose answer
 * was lost. What may fare better is tried again inside, slow PUTs and GETs are hedged; nobody looks at ETags.
 */
import assert from 'node:assert/strict'
import { type MemoryPool, release } from '../../binary/memory-pool.ts'
import { ZonewiseError } from '../../errors/zonewise-error.ts'
import type { Log } from '../../log/log.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { StoreSettings } from '../config.ts'
import { checkKey, checkPrefix, isKey, LIST_MAX } from '../key.ts'
import type { ByteRange, ObjectInfo, ObjectStore } from '../object-store.ts'
import type { CountAttempt } from '../store-attempt.ts'
import { Attempts } from './attempts.ts'
import { Bucket } from './bucket.ts'
import { CallLife } from './call-life.ts'
import type { SocketSource } from './connections.ts'
import { failureOfError } from './failure-plan.ts'
import { Hedger, type Try } from './hedger.ts'
import { HotCalls } from './hot-calls.ts'
import { type LatencyWindow, LatencyWindows } from './latency-state.ts'
import { PutBodies } from './put-body.ts'
import { PutIds } from './put-id.ts'
import { deleteObject, type FoundHead, headObject, listPage, type Page } from './rare-calls.ts'
import type { S3Address } from './s3-address.ts'
import { FailedReply } from './sdk-handler.ts'
import type { SessionOptions } from './session.ts'
import type { Outcome } from './signed-call.ts'
import { Slots } from './slots.ts'

const PAGE_MAX = 1_000 // keys of one LIST request
const HEDGES_MAX = 8 // under way at a time

export type S3StoreOptions = {
  readonly address: S3Address
  readonly settings: StoreSettings
  readonly credentials: SessionOptions['credentials']
  readonly newSocketSource: () => SocketSource
  readonly runtime: Runtime
  readonly log: Log
  readonly countAttempt: CountAttempt
}

/** @throws ZonewiseError STORE_REFUSED, STORE_UNAVAILABLE: no credentials; nothing was asked of the bucket yet. */
export async function openS3Store(options: S3StoreOptions): Promise<S3Store> {
  const { address: { bucket, prefix }, settings, credentials, newSocketSource, runtime: { clock }, log } = options
  const given = (text: string): string | null => (text === '' ? null : text)
  return new S3Store(options, await Bucket.open({
    bucket, region: given(settings.s3Region), endpoint: given(settings.s3Endpoint), addressing: settings.s3Addressing,
    credentials,    answerTimeoutMs: settings.s3AnswerTimeoutMs, newSocketSource, clock, log,
    countAttempt: (attempt) => { options.countAttempt({ ...attempt, key: attempt.key.slice(prefix.length) }) }
  }))
}

export class S3Store implements ObjectStore {
  readonly #options: S3StoreOptions
  readonly #bucket: Bucket
  readonly #hot: HotCalls
  readonly #attempts: Attempts
  readonly #hedger: Hedger
  readonly #bodies = new PutBodies()
  readonly #putIds: PutIds
  readonly #putLatency = new LatencyWindows()
  readonly #getLatency = new LatencyWindows()
  readonly #putSlots: Slots
  readonly #getSlots: Slots
  readonly #otherSlots: Slots
  readonly #lives = new Set<CallLife>() // of the calls under way
  #closed = false

  constructor(options: S3StoreOptions, bucket: Bucket) {
    const { settings, runtime, address, countAttempt } = options
    this.#options = options
    this.#bucket = bucket
    this.#putIds = new PutIds(runtime.chance)
    this.#hot = new HotCalls({ bucket, prefix: address.prefix, signPayload: settings.s3SignPayload, countAttempt })
    this.#attempts = new Attempts({
      runtime, attemptsMax: settings.s3AttemptsMax, backoffMinMs: settings.s3BackoffMinMs,
      backoffMaxMs: settings.s3BackoffMaxMs, bucket, bucketName: address.bucket
    })
    this.#hedger = new Hedger({
      timer: runtime.timer, clock: runtime.clock, percentMax: settings.s3HedgePercentMax,
      afterMsMin: settings.s3HedgeMinMs, hedgesMax: HEDGES_MAX
    })
    const slots = (slotsMax: number): Slots => new Slots({ slotsMax, waitingMax: settings.s3WaitingMax })
    this.#putSlots = slots(settings.s3PutsMax)
    this.#getSlots = slots(settings.s3GetsMax)
    this.#otherSlots = slots(settings.s3OtherCallsMax)
  }

  /** Requests beyond the first of a call, so far. */
  get extraRequests(): { readonly retries: number; readonly hedges: number } {
    return { retries: this.#attempts.retryCount, hedges: this.#hedger.hedgeCount }
  }

  async putIfAbsent(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    checkKey(key)
    const body = this.#bodies.of(chunks)
    const putId = this.#putIds.next()
    const window = this.#putLatency.of(body.bytes)
    let sent = 0
    await this.#underWay(this.#putSlots, (life) => this.#attempts.run({
      call: 'put', key, life, own: { exists: () => this.#isOwn(key, putId, life) },
      attempt: (session) => this.#hedged(life, window, () => {
        sent += 1
        return this.#hot.put(session, key, body, putId)
      })
    }))
    if (sent === 1) body.release() // a request that was given up may still be on its way out
  }

  /** Not hedged: a second try that comes late would undo a later put. */
  async put(key: string, chunks: readonly Uint8Array[]): Promise<void> {
    checkKey(key)
    const body = this.#bodies.of(chunks)
    await this.#underWay(this.#putSlots, (life) => this.#attempts.run({
      call: 'put', key, life, own: {}, attempt: (session) => untilEnd(life, this.#hot.put(session, key, body, null))
    }))
  }

  async get(key: string, range?: ByteRange, memory?: MemoryPool): Promise<Uint8Array> {
    checkKey(key)
    if (range !== undefined) assert(range.start >= 0 && range.end >= range.start)
    if (range !== undefined && range.end === range.start) { // HTTP has no empty range
      if (await this.head(key) === null) throw missing(key)
      return new Uint8Array(0)
    }
    const window = this.#getLatency.of(range === undefined ? 0 : range.end - range.start)
    return this.#underWay(this.#getSlots, (life) => this.#attempts.run({
      call: 'get', key, life,
      own: { missing: () => { throw missing(key) }, 'beyond end': () => ({ done: new Uint8Array(0) }) },
      attempt: (session) => this.#hedged(life, window, () => this.#hot.get(session, key, range ?? null, memory ?? null))
    }))
  }

  async head(key: string): Promise<ObjectInfo | null> {
    checkKey(key)
    const found = await this.#underWay(this.#otherSlots, (life) => this.#head(key, life))
    return found === null ? null : { key, bytes: found.bytes, modifiedMs: found.modifiedMs }
  }

  async list(prefix: string, options: { readonly after?: string; readonly max?: number } = {}): Promise<ObjectInfo[]> {
    checkPrefix(prefix)
    const { after = '', max = LIST_MAX } = options
    const { bucket, prefix: top } = this.#options.address
    const found: ObjectInfo[] = []
    for (let next: string | null = null; found.length < max;) {
      const from = {
        prefix: top + prefix, after: after === '' ? '' : top + after, next, max: Math.min(PAGE_MAX, max - found.length)
      }
      const page: Page = await this.#underWay(this.#otherSlots, (life) => this.#attempts.run({
        call: 'list', key: prefix, life, own: {},
        attempt: (session) => rare(life, (signal) => listPage(session, { bucket, signal }, from))
      }))
      for (const info of page.found) {
        const key = info.key.slice(top.length)
        if (isKey(key) && key > after) found.push({ ...info, key }) // others may keep other things in the bucket
      }
      next = page.next
      if (next === null) break
    }
    return found
  }

  async delete(key: string): Promise<void> {
    checkKey(key)
    const { bucket, prefix } = this.#options.address
    await this.#underWay(this.#otherSlots, (life) => this.#attempts.run<void>({
      call: 'delete', key, life, own: { missing: () => ({ done: undefined }) },
      attempt: (session) => rare(life, (signal) => deleteObject(session, { bucket, signal }, prefix + key))
    }))
  }

  async freeBytes(): Promise<number | null> {
    return null
  }

  /** Calls under way end as STORE_UNAVAILABLE. */
  async close(): Promise<void> {
    this.#closed = true
    for (const life of this.#lives) life.end()
    await this.#bucket.close()
  }

  /** Runs a call in a slot, for as long as a call may last. */
  async #underWay<T>(slots: Slots, run: (life: CallLife) => Promise<T>): Promise<T> {
    if (this.#closed) throw new ZonewiseError('STORE_UNAVAILABLE', 'the store is closed')
    const life = new CallLife(this.#options.runtime.timer, this.#options.settings.s3CallTimeoutMs)
    this.#lives.add(life)
    try {
      await slots.take(life)
      try {
        return await run(life)
      } finally {
        slots.give()
      }
    } finally {
      this.#lives.delete(life)
      life.done()
    }
  }

  #hedged<T>(life: CallLife, window: LatencyWindow, start: () => Try<Outcome<T>>): Promise<Outcome<T>> {
    return untilEnd(life, this.#hedger.run({ window, start, isAnswer, discard }))
  }

  /** The key of a new object is taken: by this call's own earlier request, or by another writer? */
  async #isOwn(key: string, putId: string, life: CallLife): Promise<{ readonly done: void } | 'again'> {
    const found = await this.#head(key, life)
    if (found === null) return 'again' // deleted meanwhile
    if (found.putId !== putId) throw new ZonewiseError('OBJECT_EXISTS', 'the key is taken', { key })
    return { done: undefined }
  }

  #head(key: string, life: CallLife): Promise<FoundHead | null> {
    const { bucket, prefix } = this.#options.address
    return this.#attempts.run<FoundHead | null>({
      call: 'head', key, life, own: { missing: () => ({ done: null }) },
      attempt: (session) => rare(life, (signal) => headObject(session, { bucket, signal }, prefix + key))
    })
  }
}

function missing(key: string): ZonewiseError {
  return new ZonewiseError('OBJECT_MISSING', 'no such object', { key })
}

/** An answer that another try, under way, cannot better. */
function isAnswer(outcome: Outcome<unknown>): boolean {
  return 'done' in outcome || [404, 412, 416].includes(outcome.failure.status)
}

/** Bytes of the slower of two GETs. */
function discard(outcome: Outcome<unknown>): void {
  if ('done' in outcome && outcome.done instanceof Uint8Array) release(outcome.done)
}

async function untilEnd<T>(life: CallLife, { outcome, cancel }: Try<T>): Promise<T> {
  const forget = life.onEnd(cancel)
  try {
    return await outcome
  } finally {
    forget()
  }
}

/** A call of the SDK, its end told as a value. */
async function rare<T>(life: CallLife, call: (signal: AbortSignal) => Promise<T>): Promise<Outcome<T>> {
  const abort = new AbortController()
  const forget = life.onEnd(() => { abort.abort() })
  try {
    return { done: await call(abort.signal) }
  } catch (error) {
    return { failure: error instanceof FailedReply ? error.failure : failureOfError(error), credentials: null }
  } finally {
    forget()
  }
}
