/** Bugs of nodes that hold leases and stand on a Redis: those only the ground of a cluster can show. */
import { Leadership } from '#broker/shard/leadership.ts'
import { ClusterMembership } from '#shared/cluster/cluster-membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Journal, Position } from '#shared/journal/journal.ts'
import { runningCrc } from '#shared/journal/running-crc.ts'
import { withAppends, withShards } from './leader-bugs.ts'
import { patch, patchGetter, type Undo } from './patch.ts'

/** A leader that takes its lease for a proof: a process that stood still answers before it knows that it lost it. */
export function takeLeaseForProof(): Undo {
  const undoProof = patch(Leadership.prototype, 'proof', () => async () => {})
  const undoRecent = patch(Leadership.prototype, 'recentProof', () => async () => {})
  return () => { undoProof(); undoRecent() }
}

/** A leader that takes whatever reply Redis gave to an append for "durable", a refusal included. */
export function takeRefusalForDone(journal: Journal): Journal {
  return withAppends(journal, (inner, crc) => async (epoch, after, body) => {
    const position = { epoch: after.epoch, seq: after.seq + 1 }
    const next = runningCrc(crc.newest, position, body)
    try {
      const outcome = await inner.append(epoch, after, body)
      if (outcome.kind === 'durable') crc.newest = outcome.crc
      return outcome
    } catch (error) {
      if (!(error instanceof ZonewiseError) || error.message !== 'Redis refused the call') throw error
      crc.newest = next
      return { kind: 'durable', position, crc: next }
    }
  })
}

/** A leader that was fenced takes its shard back and goes on from what it knew, whatever its successor decided. */
export function takeBack(journal: Journal): Journal {
  return withShards(journal, (inner) => {
    let moved: { readonly from: number; readonly to: Position } | null = null // the epoch in place of the one it had
    return {
      ...inner,
      append: async (epoch, after, body) => {
        const from = moved !== null && moved.from === after.epoch ? moved.to : after
        const outcome = await inner.append(from.epoch, from, body)
        if (outcome.kind === 'durable') return outcome
        const { position } = await inner.lead(outcome.end.position.epoch, outcome.end.position)
        moved = { from: after.epoch, to: position }
        return inner.append(position.epoch, position, body)
      }
    }
  })
}

/** A node that leads nothing any more once it has lost its lease, however often it is renewed. */
export function stayWithoutLease(): Undo {
  const lost = new WeakSet<ClusterMembership>()
  return patchGetter(ClusterMembership.prototype, 'isHeld', (original) => function (this: ClusterMembership) {
    if (!lost.has(this)) this.onLost(() => { lost.add(this) })
    return !lost.has(this) && original.call(this)
  })
}
