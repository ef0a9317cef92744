/** PUT and GET, as often as there are chunks: signed and sent by ourselves, each a single attempt. */
import type { MemoryPool } from '../../binary/memory-pool.ts'
import type { ByteRange } from '../object-store.ts'
import type { CountAttempt, StoreCall } from '../store-attempt.ts'
import type { Bucket } from './bucket.ts'
import { readRange, readWhole, WHOLE_OBJECT_BYTES_MAX } from './get-answer.ts'
import type { Try } from './hedger.ts'
import type { HttpReply, HttpRequest } from './http-exchange.ts'
import type { PutBody } from './put-body.ts'
import { PUT_ID_HEADER } from './put-id.ts'
import { urlPathOf } from './s3-address.ts'
import type { S3Session } from './session.ts'
import { type Outcome, startSignedCall } from './signed-call.ts'
import { payloadHash, UNSIGNED_PAYLOAD } from './signer.ts'

const PUT_ANSWER_BYTES_MAX = 64 * 1024
const CONTENT_SHA256 = 'x-amz-content-sha256'

export type HotCallsOptions = {
  readonly bucket: Bucket
  readonly prefix: string
  readonly signPayload: boolean
  readonly countAttempt: CountAttempt
}

export class HotCalls {
  readonly #options: HotCallsOptions

  constructor(options: HotCallsOptions) {
    this.#options = options
  }

  /** `putId`: create only, and leave this id; null: create or replace. */
  put(session: S3Session, key: string, { pieces, bytes, checksum }: PutBody, putId: string | null): Try<Outcome<void>> {
    const content = this.#options.signPayload ? payloadHash(pieces) : UNSIGNED_PAYLOAD
    const condition = putId === null ? {} : { 'if-none-match': '*', [PUT_ID_HEADER]: putId }
    const headers = { 'x-amz-checksum-crc32c': checksum, [CONTENT_SHA256]: content, ...condition }
    const path = this.#pathOf(session, key)
    const request: HttpRequest =
      { method: 'PUT', path, headers, body: pieces, answerBytesMax: PUT_ANSWER_BYTES_MAX, memory: null }
    return this.#start(session, 'put', key, request, { 'content-length': String(bytes) }, () => {})
  }

  /** The whole object, or a range of it that is not empty; held, where there is `memory`. */
  get(session: S3Session, key: string, range: ByteRange | null, memory: MemoryPool | null): Try<Outcome<Uint8Array>> {
    const asked: Readonly<Record<string, string>> = range === null
      ? { 'x-amz-checksum-mode': 'ENABLED' } : { range: `bytes=${range.start}-${range.end - 1}` }
    const request: HttpRequest = {
      method: 'GET', path: this.#pathOf(session, key), headers: { [CONTENT_SHA256]: UNSIGNED_PAYLOAD, ...asked },
      body: null,
      answerBytesMax: range === null ? WHOLE_OBJECT_BYTES_MAX : range.end - range.start, memory
    }
    const read = (reply: HttpReply): Uint8Array => (range === null ? readWhole(reply) : readRange(reply, range))
    return this.#start(session, 'get', key, request, {}, read)
  }

  #pathOf(session: S3Session, key: string): string {
    return session.path + urlPathOf(this.#options.prefix + key)
  }

  #start<T>(
    session: S3Session, call: StoreCall, key: string, request: HttpRequest, unsigned: Readonly<Record<string, string>>,
    read: (reply: HttpReply) => T
  ): Try<Outcome<T>> {
    const count = (sentBytes: number, receivedBytes: number): void => {
      this.#options.countAttempt({ call, key, sentBytes, receivedBytes })
    }
    return startSignedCall({ session, credentials: this.#options.bucket.credentials, request, unsigned, count, read })
  }
}
