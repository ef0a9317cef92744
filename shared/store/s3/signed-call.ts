/** A hot call: signed, sent on a connection of its own, its end told as a value. */
import { release } from '../../binary/memory-pool.ts'
import type { CountBytes } from './connections.ts'
import type { Credentials, CredentialsHolder } from './credentials.ts'
import { type Failure, failureOf, failureOfError } from './failure-plan.ts'
import type { Try } from './hedger.ts'
import { CancelledError, type HttpExchange, type HttpReply, type HttpRequest } from './http-exchange.ts'
import type { S3Session } from './session.ts'

/** `credentials`: those that the request was signed with, where we know. */
export type Failed = { readonly failure: Failure; readonly credentials: Credentials | null }
export type Outcome<T> = { readonly done: T } | Failed

export type SignedCall<T> = {
  readonly session: S3Session
  readonly credentials: CredentialsHolder
  readonly request: HttpRequest // headers without the signature; those in `unsigned` apart
  readonly unsigned: Readonly<Record<string, string>>
  readonly count: CountBytes
  /** Reads a reply that is a success. @throws Error: it is none after all */
  readonly read: (reply: HttpReply) => T
}

export function startSignedCall<T>(call: SignedCall<T>): Try<Outcome<T>> {
  let exchange: HttpExchange | null = null
  let cancelled = false
  const send = async (): Promise<Outcome<T>> => {
    const { session, request } = call
    let used: Credentials | null = null
    try {
      used = await call.credentials.get()
      const signed = await session.signer.sign(used, request.method, request.path, request.headers)
      if (cancelled) throw new CancelledError('given up')
      exchange = session.connections.send({ ...request, headers: { ...signed, ...call.unsigned } }, call.count)
      const reply = await exchange.reply
      if (reply.status < 300) return { done: readOrRelease(reply, call.read) }
      return { failure: failureOf(reply.status, reply.headers, Buffer.from(reply.body).toString()), credentials: used }
    } catch (error) {
      return { failure: failureOfError(error), credentials: used }
    }
  }
  const cancel = (): void => { cancelled = true; exchange?.cancel() }
  return { outcome: send(), cancel }
}

function readOrRelease<T>(reply: HttpReply, read: (reply: HttpReply) => T): T {
  try {
    return read(reply)
  } catch (error) {
    release(reply.body)
    throw error
  }
}
