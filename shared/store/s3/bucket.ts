/** The bucket as it is reached just now: which region it is in, over which connections, with which credentials. */
import { ZonewiseError } from '../../errors/zonewise-error.ts'
import type { Log } from '../../log/log.ts'
import type { Clock } from '../../runtime/runtime.ts'
import { CredentialsHolder } from './credentials.ts'
import { failureOfError, REFUSALS } from './failure-plan.ts'
import { S3Session, type SessionOptions } from './session.ts'
import type { Failed } from './signed-call.ts'

const LEFT_MAX = 3 // sessions of other regions

export type BucketOptions = SessionOptions & { readonly log: Log; readonly clock: Clock }

export class Bucket {
  readonly credentials: CredentialsHolder
  readonly #options: BucketOptions
  readonly #left = new Set<S3Session>() // of other regions; calls may still be under way there
  #session: S3Session
  #changing: Promise<void> | null = null

  private constructor(options: BucketOptions, session: S3Session) {
    this.#options = options
    this.#session = session
    this.credentials = new CredentialsHolder((how) => this.#session.findCredentials(how), options.clock)
  }

  /** @throws ZonewiseError STORE_REFUSED: there are no credentials. STORE_UNAVAILABLE: nobody tells them just now. */
  static async open(options: BucketOptions): Promise<Bucket> {
    return new Bucket(options, await openSession(options))
  }

  get session(): S3Session {
    return this.#session
  }

  /** Goes on in `region`; many calls may find out at once. */
  async changeRegion(old: S3Session, region: string): Promise<void> {
    if (this.#session !== old) return
    this.#changing ??= this.#change(region).finally(() => { this.#changing = null })
    await this.#changing
  }

  /** false: there are no others than those that were refused. */
  async renewCredentials({ credentials }: Failed): Promise<boolean> {
    return this.credentials.replace(credentials ?? await this.credentials.get())
  }

  async close(): Promise<void> {
    await Promise.all([this.#session, ...this.#left].map((session) => session.close()))
  }

  async #change(region: string): Promise<void> {
    const { bucket, log } = this.#options
    const old = this.#session
    this.#session = await openSession({ ...this.#options, region })
    this.#left.add(old)
    const [oldest] = this.#left
    if (this.#left.size > LEFT_MAX && oldest !== undefined) {
      this.#left.delete(oldest)
      await oldest.close()
    }
    log.warn('the bucket is in another region: it is used there from now on', { bucket, given: old.region, region })
  }
}

async function openSession(options: SessionOptions): Promise<S3Session> {
  try {
    return await S3Session.open(options)
  } catch (error) {
    const { code, message } = failureOfError(error)
    const { message: refusal, cure } = REFUSALS['no credentials']
    const facts = { bucket: options.bucket, says: message }
    if (code === 'CredentialsProviderError')
      throw new ZonewiseError('STORE_REFUSED', refusal, { ...facts, cure }, error)
    throw new ZonewiseError('STORE_UNAVAILABLE', 'the object store cannot be reached yet', facts, error)
  }
}
