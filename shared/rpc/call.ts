/** One RPC call: a name, a stable id, a ledger cause and the schemas of both directions. */
import type { Message } from '../binary/message.ts'
import type { Cause } from '../ledger/ledger.ts'

export type RpcCall<Request, Response> = {
  readonly id: number // stable for ever
  readonly name: string
  readonly cause: Cause // of the header bytes
  readonly payloadCause: Cause | null // of payload buffers; null: the call carries none
  readonly request: Message<Request>
  readonly response: Message<Response>
}
