/** Settings of the streams between nodes. */
import { bool, defineSettings, int, text } from '#shared/config/settings.ts'

const MiB = 2 ** 20
const GiB = 2 ** 30
const SECOND = 1_000
const MINUTE = 60 * SECOND

export const transportSettings = defineSettings('TRANSPORT', {
  rpcSecret: text({ default: '', doc: 'Secret that all nodes of a cluster share, at least 16 characters; give it in the environment, where other users of the machine do not see it. Without it, nodes talk on one machine only.' }),
  rpcInsecure: bool({ default: false, doc: 'Lets nodes of other machines in without a secret: only for networks where nobody else is.' }),
  rpcCallsMax: int({ default: 4_096, min: 1, max: 65_535, doc: 'Calls to one peer that are not answered; one more fails at once with OVERLOADED.' }),
  rpcInFlightBytesMax: int({ unit: 'bytes', default: 256 * MiB, min: 1, max: 64 * GiB, doc: 'Request bytes of one peer, sent and not answered or received and in work, of small and of big calls each; above it calls fail at once with OVERLOADED.' }),
  rpcMessageBytesMax: int({ unit: 'bytes', default: 512 * MiB, min: MiB, max: 2 * GiB, doc: 'Largest request or answer between nodes.' }),
  rpcWindowBytes: int({ unit: 'bytes', default: 64 * MiB, min: 1, max: 2 * GiB, doc: 'Memory for big messages of one peer that are not complete, once for requests and once for answers; one message may be bigger than that and comes on top.' }),
  rpcAnswerBytesMax: int({ unit: 'bytes', default: 64 * MiB, min: 1, max: 64 * GiB, doc: 'Answer bytes that wait for a peer to read them, the biggest answer apart; above it none of its further calls for payload begins.' }),
  rpcHandshakesMax: int({ default: 64, min: 1, max: 65_535, doc: 'Connections of other nodes that have not proven who they are; one more is closed at once.' }),
  rpcDialTimeoutMs: int({ unit: 'ms', default: 3 * SECOND, min: 10, max: MINUTE, doc: 'Longest time until a connection to a peer stands and both have proven who they are.' }),
  rpcReconnectMinMs: int({ unit: 'ms', default: 50, min: 1, max: MINUTE, doc: 'Wait after the first failure to reach a peer; calls fail at once meanwhile. It doubles up to --rpc-reconnect-max-ms.' }),
  rpcReconnectMaxMs: int({ unit: 'ms', default: SECOND, min: 1, max: 10 * MINUTE, doc: 'Longest wait until a peer that cannot be reached is tried again.' }),
  rpcPingMs: int({ unit: 'ms', default: 500, min: 10, max: MINUTE, doc: 'How often each end looks at a stream with calls in work: if it has said nothing since the last time, it pings.' }),
  rpcSilenceMs: int({ unit: 'ms', default: 3 * SECOND, min: 20, max: 10 * MINUTE, doc: 'A peer that says nothing for so long while calls are in work is dead: they fail with RPC_UNAVAILABLE.' })
}, (s) => {
  if (s.rpcSecret !== '' && s.rpcSecret.length < 16) return 'rpcSecret must have at least 16 characters'
  if (s.rpcReconnectMinMs > s.rpcReconnectMaxMs) return 'rpcReconnectMinMs must not exceed rpcReconnectMaxMs'
  return s.rpcSilenceMs >= 2 * s.rpcPingMs || 'rpcSilenceMs must be at least twice rpcPingMs'
})

export type TransportSettings = ReturnType<typeof transportSettings.load>
