/** Asks a node for its ledger: counters since its start, to be added up over the cluster. */
import { array, field, float64, message, string, struct, type Infer } from '../binary/message.ts'
import type { RpcCall } from './call.ts'

const versions = { versions: [0, 0], flexibleSince: null } as const

export const ledgerRequest = message('LedgerRequest', versions, {})
export const ledgerResponse = message('LedgerResponse', versions, {
  rows: field(array(struct({
    from: field(string), to: field(string), cause: field(string), bytes: field(float64), requests: field(float64)
  })))
})

export type LedgerRequest = Infer<typeof ledgerRequest>
export type LedgerResponse = Infer<typeof ledgerResponse>

export const ledgerCall: RpcCall<LedgerRequest, LedgerResponse> =
  { id: 50, name: 'ledger', cause: 'admin', payloadCause: null, request: ledgerRequest, response: ledgerResponse }
