/**
 * The last gateway of a zone tells gateways of the zone that will serve its clients who they are, before it stops. It
 * sends them there only once all have answered.
 */
import { array, field, message, string, struct, type Infer } from '../binary/message.ts'
import type { RpcCall } from './call.ts'

const versions = { versions: [0, 0], flexibleSince: null } as const

export const guestsRequest = message('GuestsRequest', versions, {
  zone: field(string), // of the clients
  clients: field(array(struct({ host: field(string), clientId: field(string) }))) // as gateways see them; no two alike
})
export const guestsResponse = message('GuestsResponse', versions, {})

export type GuestsRequest = Infer<typeof guestsRequest>
export type GuestsResponse = Infer<typeof guestsResponse>

export const guestsCall: RpcCall<GuestsRequest, GuestsResponse> =
  { id: 52, name: 'guests', cause: 'admin', payloadCause: null, request: guestsRequest, response: guestsResponse }
