/**
 * The attempts of one call: what may fare better is tried again, with growing waits that chance spreads; what cannot is
 * refused with cause and cure. Another region or new credentials are used as soon as the store asks for them.
 */
import { type ErrorContext, ZonewiseError } from '../../errors/zonewise-error.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { StoreCall } from '../store-attempt.ts'
import type { Bucket } from './bucket.ts'
import { pause, type CallLife } from './call-life.ts'
import { type Failure, REFUSALS, type Refusal, verdictOn, type Verdict } from './failure-plan.ts'
import type { S3Session } from './session.ts'
import type { Outcome } from './signed-call.ts'

const REGION_CHANGES_MAX = 2 // of one call

/** Verdicts that mean something else to each call. */
export type OwnVerdict = 'exists' | 'missing' | 'beyond end'

export type Settled<T> = { readonly done: T } | 'again'

export type AttemptedCall<T> = {
  readonly call: StoreCall
  readonly key: string
  readonly life: CallLife
  readonly attempt: (session: S3Session) => Promise<Outcome<T>>
  /** What the verdict means here; 'again' tries again. Verdicts without an entry are refused. */
  readonly own: Partial<Readonly<Record<OwnVerdict, () => Settled<T> | Promise<Settled<T>>>>>
}

export type AttemptsOptions = {
  readonly runtime: Runtime
  readonly attemptsMax: number
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  readonly bucket: Bucket
  readonly bucketName: string
}

export class Attempts {
  readonly #options: AttemptsOptions
  #retryCount = 0

  constructor(options: AttemptsOptions) {
    this.#options = options
  }

  /** Attempts after a first one so far. */
  get retryCount(): number {
    return this.#retryCount
  }

  /** @throws ZonewiseError STORE_UNAVAILABLE, STORE_REFUSED, STORE_FULL, and what `own` throws. */
  async run<T>(call: AttemptedCall<T>): Promise<T> {
    const { attemptsMax, bucket } = this.#options
    let regionChanges = 0
    for (let attempt = 1; ; attempt++) {
      const { session } = bucket
      const outcome = await call.attempt(session)
      if ('done' in outcome) return outcome.done
      const { failure } = outcome
      const verdict = verdictOn(failure, session.region)
      const facts = { attempt, ...this.#facts(call, session, failure) }
      if (verdict.kind === 'region' && regionChanges++ < REGION_CHANGES_MAX) {
        await bucket.changeRegion(session, verdict.region)
      } else if (verdict.kind === 'renew credentials') {
        if (!(await bucket.renewCredentials(outcome))) throw this.#refused('credentials', facts, failure)
      } else {
        const settled = await this.#settle(call, verdict, facts, failure)
        if (settled !== 'again') return settled.done
        if (attempt < attemptsMax && !call.life.over) await this.#backOff(attempt, call.life)
      }
      if (attempt >= attemptsMax || call.life.over) throw givenUp(failure, facts)
      this.#retryCount += 1
    }
  }

  #settle<T>(
    { own }: AttemptedCall<T>, verdict: Verdict, facts: ErrorContext, failure: Failure
  ): Settled<T> | Promise<Settled<T>> {
    if (verdict.kind === 'again') return 'again'
    if (verdict.kind === 'refused') throw this.#refused(verdict.refusal, facts, failure)
    if (verdict.kind === 'region') throw this.#refused('region', facts, failure)
    if (verdict.kind === 'full') throw new ZonewiseError('STORE_FULL', 'the object store is full', facts, failure.cause)
    const settle = verdict.kind === 'renew credentials' ? undefined : own[verdict.kind]
    if (settle === undefined) throw this.#refused('call', facts, failure)
    return settle()
  }

  #refused(refusal: Refusal, facts: ErrorContext, { serverMs, cause }: Failure): ZonewiseError {
    const { message, cure } = REFUSALS[refusal]
    const nowMs = this.#options.runtime.clock.nowMs()
    const ahead = refusal === 'clock' && serverMs !== null ? { serverAheadMs: serverMs - nowMs } : {}
    return new ZonewiseError('STORE_REFUSED', message, { ...facts, ...ahead, cure }, cause)
  }

  #facts({ call, key }: AttemptedCall<unknown>, session: S3Session, failure: Failure): ErrorContext {
    const { status, code, message, requestId } = failure
    return {
      call, key, bucket: this.#options.bucketName, endpoint: session.endpoint, region: session.region,
      ...(status !== 0 && { status }), ...(code !== '' && { code }), ...(message !== '' && { says: message }),
      ...(requestId !== null && { requestId })
    }
  }

  #backOff(attempt: number, life: CallLife): Promise<void> {
    const { runtime: { timer, chance }, backoffMinMs, backoffMaxMs } = this.#options
    const waitMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(attempt - 1, 20))
    return pause(timer, waitMs / 2 + chance.below(Math.ceil(waitMs / 2) + 1), life)
  }
}

function givenUp({ code, cause }: Failure, facts: ErrorContext): ZonewiseError {
  return code === 'ChecksumMismatch'
    ? new ZonewiseError('OBJECT_CORRUPT', 'an object does not match its checksum', facts, cause)
    : new ZonewiseError('STORE_UNAVAILABLE', 'the object store gave no answer that settles the call', facts, cause)
}
