/**
 * The bugs that the simulator must find, and the rules that tell of each. Leaders, then whoever reads or writes beside
 * them, then nodes of a cluster.
 */
import type { Seams } from '../world/machine.ts'
import { ZONES, type FaultKind, type Layout } from '../world/settings.ts'
import { stayWithoutLease, takeBack, takeLeaseForProof, takeRefusalForDone } from './cluster-bugs.ts'
import { leaveJournalUnsynced, leaveNamesUnsynced } from './disk-bugs.ts'
import {
  ackBeforeDurable, answerRepeatsAtOnce, answerWhenFenced, answerWithoutProof, forgetChunks, forgetProducers,
  loseGenerations, narrowIdempotence,
  reuseIds, snapshotSpeculation, trimUnverified
} from './leader-bugs.ts'
import type { Undo } from './patch.ts'
import {
  giveUpAlone, hearLate, hearLateSomewhere, missWakeUps, neverFresh, patchWrongOffsets, skipBarriers,
  skipCatalogBarriers, skipGroups, skipSteps, takeAnySuccessor, trustNewcomers
} from './reader-bugs.ts'
import { keepInFlight, readFromAfar, reuseSlots, waitForFailed } from './stream-bugs.ts'

export type Mutation = {
  readonly bug: string
  readonly rules: readonly string[]
  readonly plant?: () => Undo
  readonly seams?: Seams
  /** What the seed draws becomes where the bug can show, and nothing that takes time besides. */
  readonly shape: (drawn: Layout) => Layout
  /** Where the search begins: saves time where few seeds show the bug. */
  readonly firstSeed?: number
  /** Virtual, under faults; those of most bugs show soon. */
  readonly minutes?: number
}

const LOST = [
  'no acked record is lost', 'an ack names the offset', 'a committed record never vanishes', 'an offset never changes'
]
const SENT_BACK = 'no client is sent back'
const DAMAGED = 'nothing is damaged'
const QUIET_MS = 400
const KiB = 1_024
const MiB = 1_024 * KiB

type Wanted = Partial<Omit<Layout, 'gateway' | 'broker' | 'transport'>> & {
  readonly gateway?: Partial<Layout['gateway']>; readonly broker?: Partial<Layout['broker']>
  readonly transport?: Partial<Layout['transport']>
}

function shape(
  faults: readonly FaultKind[], { gateway, broker, transport, ...wanted }: Wanted = {}
): (drawn: Layout) => Layout {
  return (drawn) => ({
    ...drawn, ground: 'remote', carrier: 'in-process', memberCount: 0, topicsChange: false, faults, quietMs: QUIET_MS,
    ...wanted,
    gateway: { ...drawn.gateway, ...gateway }, broker: { ...drawn.broker, ...broker },
    transport: { ...drawn.transport, ...transport }
  })
}

/** Two nodes a zone: readers change inside it. */
const PAIRS = [...ZONES, ...ZONES].map((zone, i) => ({ nodeId: i + 1, zone, roles: { gateway: true, broker: true } }))

export const LEADER_BUGS: Readonly<Record<string, Mutation>> = {
  'ack-before-durable': {
    bug: 'an ack before the append is durable', rules: LOST, seams: { journal: ackBeforeDurable },
    shape: shape(['crash', 'expel'])
  },
  'answer-when-fenced': {
    bug: 'a fenced leader that goes on answering', rules: LOST, seams: { journal: answerWhenFenced },
    shape: shape(['expel', 'news'])
  },
  'answer-repeats-at-once': {
    firstSeed: 6, bug: 'a repeated chunk answered before its first copy is durable', rules: LOST,
    plant: answerRepeatsAtOnce,
    shape: shape(['journal', 'crash'], { gateway: { commitDeadlineMs: 500 }, broker: { journalSettleMs: 1_000 } })
  },
  'answer-without-proof': {
    firstSeed: 42, bug: 'answers of a leader that does not know that it is none',
    rules: ['a committed offset stays', 'an old generation is over'], plant: answerWithoutProof,
    seams: { transport: hearLate },
    // shards without commits that would show the fence
    shape: shape(['expel', 'news'], { memberCount: 4, shardCount: 16, quietMs: 200 })
  },
  'reuse-ids': {
    bug: 'an id used again for other bytes', rules: [...LOST, DAMAGED], seams: { journal: reuseIds },
    shape: shape(['journal'])
  },
  // Both offsets name one batch, whose header can only show one of them: the other is a hole.
  'forget-chunks': {
    bug: 'a leader that applies a chunk twice', rules: ['exactly once', 'offsets are dense'], plant: forgetChunks,
    shape: shape(['rpc', 'journal'])
  },
  'forget-producers': {
    bug: 'a leader that forgets producers', rules: ['exactly once'], plant: forgetProducers,
    shape: shape(['rpc', 'reset', 'crash'])
  },
  'narrow-idempotence': {
    bug: 'four batches of a producer remembered instead of five', rules: ['clients get answers they can use'],
    plant: narrowIdempotence,
    shape: shape(['network', 'reset', 'crash'])
  },
  'lose-generations': {
    bug: 'a takeover that forgets generations given',
    rules: ['a generation has one list of members', 'a generation has one leader'], plant: loseGenerations,
    shape: shape(['crash', 'expel'], { memberCount: 4 })
  },
  'snapshot-speculation': {
    firstSeed: 2, bug: 'a snapshot of what is not durable', rules: [...LOST, DAMAGED], plant: snapshotSpeculation,
    shape: shape(['crash', 'expel'], { broker: { snapshotJournalBytes: 2 * KiB } })
  },
  'trim-unverified': {
    bug: 'a journal trimmed before its snapshot is verified', rules: [...LOST, DAMAGED], plant: trimUnverified,
    shape: shape(['crash', 'store'], { broker: { snapshotJournalBytes: 2 * KiB } })
  }
}

export const READER_BUGS: Readonly<Record<string, Mutation>> = {
  'skip-groups': {
    bug: 'a view that skips a group', rules: ['readers skip nothing'], plant: () => skipGroups(20), shape: shape([])
  },
  'take-any-successor': {
    bug: 'a view that takes what does not follow', rules: ['readers skip nothing', DAMAGED], plant: takeAnySuccessor,
    shape: shape(['rpc', 'expel'])
  },
  'skip-barriers': {
    bug: 'a view that calls itself fresh without asking', rules: ['an end is never stale'], plant: skipBarriers,
    shape: shape(['rpc', 'cut'])
  },
  'never-fresh': {
    firstSeed: 2, bug: 'a reader that takes over and knows less than the one before', rules: [SENT_BACK],
    seams: { transport: neverFresh },
    shape: shape(['expel'], { nodes: PAIRS, quietMs: 200, broker: { viewIdleMs: 60_000, feedQueueBytesMax: MiB } })
  },
  'trust-newcomers': {
    bug: 'a gateway that takes a client from elsewhere for one it has shown all', rules: [SENT_BACK],
    plant: trustNewcomers, seams: { transport: hearLateSomewhere },
    shape: shape([], { broker: { viewIdleMs: 60_000, feedQueueBytesMax: MiB } })
  },
  'miss-wake-ups': {
    bug: 'a long poll that misses its wake-up', rules: ['a long poll wakes'], plant: missWakeUps, shape: shape([])
  },
  'patch-wrong-offsets': {
    bug: 'a header patched with a wrong offset', rules: ['readers skip nothing', 'an offset never changes'],
    plant: () => patchWrongOffsets(20), shape: shape([])
  },
  'give-up-alone': {
    bug: 'a chunk given up without what is behind it', rules: ['giving up fails what is behind'],
    plant: () => giveUpAlone(20),
    shape: shape([], {
      topics: [{ name: 'orders', partitionCount: 1 }], gateway: { chunkGiveUpMs: 2_000, putsMax: 1 }
    })
  },
  'leave-journal-unsynced': {
    bug: 'a journal in files that is not synced', rules: [...LOST, DAMAGED], plant: leaveJournalUnsynced,
    shape: shape(['crash all'], { ground: 'local' })
  },
  'leave-names-unsynced': {
    bug: 'objects whose names are not synced', rules: [...LOST, DAMAGED, 'all ends well'], plant: leaveNamesUnsynced,
    shape: shape(['crash all'], { ground: 'local' })
  },
  'skip-catalog-barriers': {
    firstSeed: 3, bug: 'a view of the catalog that calls itself fresh',
    rules: ['clients get answers they can use', 'what is deleted is gone', 'what was made is there'],
    plant: skipCatalogBarriers, shape: shape(['rpc', 'cut'], { topicsChange: true })
  },
  'skip-steps': {
    bug: 'a topic called ready before its shards have it', rules: ['clients get answers they can use'],
    seams: { transport: skipSteps }, shape: shape([])
  }
}

const CLUSTER_MINUTES = 0.3 // leases run out meanwhile
const FENCED = 'a fenced leader answers nothing'
const LEASE = { leaseMs: 1_200, leaseRenewMs: 400 }

export const CLUSTER_BUGS: Readonly<Record<string, Mutation>> = {
  'take-lease-for-proof': {
    firstSeed: 13, bug: 'a leader that takes its lease for a proof', rules: [FENCED], plant: takeLeaseForProof,
    minutes: CLUSTER_MINUTES,
    shape: shape(['pause'], { ground: 'cluster', memberCount: 4, shardCount: 6, quietMs: 800, lease: LEASE })
  },
  'take-refusal-for-done': {
    bug: 'a refusal of Redis that is taken for done', rules: [FENCED, ...LOST],
    seams: { journal: takeRefusalForDone }, minutes: CLUSTER_MINUTES,
    shape: shape(['redis'], { ground: 'cluster' })
  },
  'take-back': {
    bug: 'a fenced leader that goes on from its dead epoch', rules: ['offsets never fork', DAMAGED],
    seams: { journal: takeBack }, minutes: CLUSTER_MINUTES,
    shape: shape(['pause'], { ground: 'cluster', quietMs: 800, lease: LEASE })
  },
  'stay-without-lease': {
    bug: 'a node that never leads again after it lost its lease', rules: ['all ends well'], plant: stayWithoutLease,
    minutes: CLUSTER_MINUTES, shape: shape(['redis', 'partition'], { ground: 'cluster', lease: LEASE })
  }
}

const SOCKETS = { ground: 'cluster', carrier: 'network' } as const

export const STREAM_BUGS: Readonly<Record<string, Mutation>> = {
  'reuse-slots': {
    bug: 'an answer that another call takes for its own', rules: [DAMAGED, ...LOST], plant: reuseSlots,
    shape: shape(['network', 'cut'], SOCKETS)
  },
  'keep-in-flight': {
    firstSeed: 2, bug: 'a bound of bytes in flight that never falls', rules: ['all ends well'], plant: keepInFlight,
    shape: shape([], { ...SOCKETS, transport: { rpcInFlightBytesMax: 32 * KiB } })
  },
  'read-from-afar': {
    bug: 'bytes of a chunk asked for in another zone', rules: ['no payload crosses zones'],
    seams: { transport: readFromAfar }, shape: shape([], { ...SOCKETS, nodes: PAIRS })
  },
  'wait-for-failed': {
    firstSeed: 3, bug: 'a dial that failed and is taken for one under way', rules: ['all ends well'],
    plant: waitForFailed,
    shape: shape(['partition', 'cut'], { ...SOCKETS, transport: { rpcDialTimeoutMs: 500 } })
  }
}

export const MUTATIONS: Readonly<Record<string, Mutation>> =
  { ...LEADER_BUGS, ...READER_BUGS, ...CLUSTER_BUGS, ...STREAM_BUGS }

/** The three that every run of the tests plants; the others are planted by `npm test -- bugs`. */
export const NAMED_BUGS: Readonly<Record<string, Mutation>> = {
  'ack-before-durable': LEADER_BUGS['ack-before-durable']!,
  'forget-chunks': LEADER_BUGS['forget-chunks']!,
  'skip-groups': READER_BUGS['skip-groups']!
}
