/**
 * Contract of the carrier of RPC calls between nodes. Headers are encoded by the call's schema, payload rides beside
 * as buffers by reference, and every byte is counted in the ledger by the zones of both ends.
 * Calls of one node to another arrive in the order they were made, but for one that a carrier must cut in pieces: it
 * arrives when its last piece does, and later calls may overtake it.
 */
import type { RpcCall } from '#shared/rpc/call.ts'

export type CallOptions = {
  readonly deadlineMs: number // how long the caller waits, from now; 0 and Infinity: for ever
  readonly signal?: AbortSignal
  readonly payload?: readonly Uint8Array[] // lent until the call settles; the carrier holds what it needs longer
  readonly priority?: number // 0-15; 0 unless given
  readonly traceId?: string // 32 hex digits
}

/** `payload` is held, for the caller; where nobody takes the reply any more, the carrier releases it. */
export type CallReply<Response> = { readonly response: Response; readonly payload: readonly Uint8Array[] }

export type CallContext = {
  readonly fromNode: number
  readonly fromZone: string
  /** Aborted when the caller gave up, or its node is gone. */
  readonly signal: AbortSignal
  readonly payload: readonly Uint8Array[] // lent until the handler has answered
  /** What was left of the caller's wait when the call was sent; 0: it waits for ever. */
  readonly deadlineMs: number
  readonly priority: number
  readonly traceId: string // '': none
}

export type WithPayload<Response> = { readonly response: Response; readonly payload: readonly Uint8Array[] }

/** A reply's payload is held, and the hold goes to the carrier. */
export type Handler<Request, Response> =
  (request: Request, context: CallContext) => Promise<Response | WithPayload<Response>>

export type Transport = {
  readonly nodeId: number
  /**
   * Calls a node (itself included). @throws ZonewiseError RPC_UNAVAILABLE (was not delivered or the node died: the
   * outcome is unknown), RPC_TIMED_OUT, or what the handler threw (code, message and context survive the way).
   */
  call<Request, Response>(
    node: number, call: RpcCall<Request, Response>, request: Request, options: CallOptions
  ): Promise<CallReply<Response>>
  /** One handler a call; set before the node is announced. */
  serve<Request, Response>(call: RpcCall<Request, Response>, handler: Handler<Request, Response>): void
  close(): void
}
