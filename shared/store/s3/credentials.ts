/**
 * The credentials in use. They are fetched again in good time before they expire, while requests go on with the old
 * ones, so that no request waits for a token service; and at once when the store says that it does not take them.
 */
import type { Clock } from '../../runtime/runtime.ts'

export type Credentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}
/** `forceRefresh`: not those that were found before. */
export type FindCredentials = (options: { readonly forceRefresh: boolean }) => Promise<Credentials>

const RENEW_BEFORE_MS = 5 * 60_000
const RENEW_AGAIN_MS = 10_000 // after a renewal that failed, or that brought nothing newer
const EXPIRED_MS = 10_000 // this close to the end they are not used any more

/** There were credentials and there may be again: unlike a search that never found any, this is worth another try. */
export class RenewalFailed extends Error {
  readonly code = 'CredentialsRenewalFailed'

  constructor(error: unknown) {
    super(`the credentials have expired, and there are no new ones yet: ${error instanceof Error ? error.message : String(error)}`)
  }
}

export class CredentialsHolder {
  readonly #find: FindCredentials
  readonly #clock: Clock
  #held: Credentials | null = null
  #finding: Promise<Credentials> | null = null
  #askedMs = -Infinity

  constructor(find: FindCredentials, clock: Clock) {
    this.#find = find
    this.#clock = clock
  }

  /** Rejects with what the search says where nothing usable is held. */
  async get(): Promise<Credentials> {
    const held = this.#held
    if (held === null) return this.#ask(false)
    const leftMs = this.#leftMs(held)
    if (leftMs > RENEW_BEFORE_MS) return held
    const asked = this.#finding ?? (this.#mayAsk() ? this.#ask(true) : null)
    if (leftMs <= EXPIRED_MS) return (asked ?? this.#ask(true)).catch((error: unknown) => { throw new RenewalFailed(error) })
    asked?.catch(() => {}) // the old ones still do; the next request asks again
    return held
  }

  /** The store refused `used`: finds others. @returns false where the same were found, or none. */
  async replace(used: Credentials): Promise<boolean> {
    if (this.#held !== null && !isSame(this.#held, used)) return true
    if (this.#finding === null && !this.#mayAsk()) return false
    const found = await (this.#finding ?? this.#ask(true)).catch(() => used)
    return !isSame(found, used)
  }

  #mayAsk(): boolean {
    return this.#clock.monotonicMs() - this.#askedMs >= RENEW_AGAIN_MS
  }

  #leftMs({ expiration }: Credentials): number {
    return expiration === undefined ? Infinity : expiration.getTime() - this.#clock.nowMs()
  }

  #ask(forceRefresh: boolean): Promise<Credentials> {
    this.#askedMs = this.#clock.monotonicMs()
    this.#finding ??= this.#find({ forceRefresh }).then(
      (found) => { this.#finding = null; this.#held = found; return found },
      (error: unknown) => { this.#finding = null; throw error }
    )
    return this.#finding
  }
}

function isSame(a: Credentials, b: Credentials): boolean {
  return a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey && a.sessionToken === b.sessionToken
}
