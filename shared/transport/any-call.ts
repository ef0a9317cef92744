/** What both carriers do with a call whatever its messages are. */
import assert from 'node:assert/strict'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Cause } from '#shared/ledger/ledger.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import type { Handler } from './transport.ts'

export type AnyCall = RpcCall<unknown, unknown>
export type AnyHandler = Handler<unknown, unknown>

export const NO_PAYLOAD: readonly Uint8Array[] = Object.freeze([])

type WithPayload = { readonly response: unknown; readonly payload: readonly Uint8Array[] }

export function isWithPayload(result: unknown): result is WithPayload {
  return typeof result === 'object' && result !== null && 'response' in result && 'payload' in result
}

/** Whether a handler was ended by its signal: no bug. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

export function unavailable(message: string, node: number, call: string): ZonewiseError {
  return new ZonewiseError('RPC_UNAVAILABLE', message, { node, call })
}

export function payloadCause<Request, Response>(call: RpcCall<Request, Response>): Cause {
  assert(call.payloadCause !== null)
  return call.payloadCause
}

export function bytesOf(chunks: readonly Uint8Array[]): number {
  let bytes = 0
  for (let i = 0; i < chunks.length; i++) bytes += chunks[i]!.byteLength
  return bytes
}
