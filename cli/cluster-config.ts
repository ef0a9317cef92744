/** Settings of a node of a cluster: one process of several that share a Redis and an object store. */
import { bool, choice, defineSettings, int, text } from '#shared/config/settings.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

export const clusterSettings = defineSettings('CLUSTER', {
  nodeId: int({ default: 0, min: 0, max: 2 ** 31 - 1, doc: 'Id of this node, from 1 on, the same at each of its starts and of no other node. Needed with --journal redis://.' }),
  zone: text({ default: '', doc: 'Availability zone id of this node, such as use1-az1; without it, that of its first listener.' }),
  roles: text({ default: 'gateway,broker', doc: 'What this node does: gateway (serves clients), broker (leads shards and reads for its zone), or both.' }),
  httpAdvertised: text({ default: '', doc: 'HOST:PORT at which other nodes reach the HTTP port of this one; without it, the address given with --http.' }),
  journalDurability: choice({ choices: ['checked', 'managed'], default: 'checked', doc: 'Whether Redis is asked for its configuration, or the operator states that the managed service keeps what it acknowledged.' }),
  journalUnsafe: bool({ default: false, doc: 'Starts on a Redis that may lose what it acknowledged. Acknowledged records can be lost then.' }),
  leaseMs: int({ unit: 'ms', default: 3 * SECOND, min: 500, max: 10 * MINUTE, doc: 'A node that was not heard of for so long is taken for dead, and its shards are taken over.' }),
  leaseRenewMs: int({ unit: 'ms', default: SECOND, min: 100, max: 5 * MINUTE, doc: 'How often a node says that it lives.' }),
  stopAwayMs: int({ unit: 'ms', default: 10 * SECOND, min: 0, max: 60 * MINUTE, doc: 'A graceful stop that has lasted so long goes on only while Redis and the store answer: what was acknowledged is safe without it.' })
}, ({
  leaseMs, leaseRenewMs
}) => leaseMs >= 2.5 * leaseRenewMs || 'leaseMs must be at least two and a half times leaseRenewMs')

export type ClusterSettings = ReturnType<typeof clusterSettings.load>
