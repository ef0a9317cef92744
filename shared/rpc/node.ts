/** Tells a node to drain, or to serve again. It answers when the registry knows. */
import { bool, field, message, type Infer } from '../binary/message.ts'
import type { RpcCall } from './call.ts'

const versions = { versions: [0, 0], flexibleSince: null } as const

export const drainRequest = message('DrainRequest', versions, { draining: field(bool) })
export const drainResponse = message('DrainResponse', versions, {})

export type DrainRequest = Infer<typeof drainRequest>
export type DrainResponse = Infer<typeof drainResponse>

export const drainCall: RpcCall<DrainRequest, DrainResponse> =
  { id: 51, name: 'drain', cause: 'admin', payloadCause: null, request: drainRequest, response: drainResponse }
