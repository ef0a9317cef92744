/** Heartbeat and LeaveGroup. Pure. Source: PROTOCOL: Heartbeat, LeaveGroup; KIP-345 (leave by instance id). */
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import { maybeCompleteRebalance, removeMember } from './group-rebalance.ts'
import { memberError, renewSession, type Group, type GroupStep } from './group-state.ts'

export type HeartbeatCommand =
  { readonly generationId: number; readonly memberId: string; readonly groupInstanceId: string | null }
export type LeavingMember = { readonly memberId: string; readonly groupInstanceId: string | null }

/** Renews the member's session and says whether it must join again. */
export function heartbeat(
  group: Group, { generationId, memberId, groupInstanceId }: HeartbeatCommand, step: GroupStep
): number {
  const errorCode = memberError(group, memberId, groupInstanceId)
  if (errorCode !== KAFKA_ERROR.NONE) return errorCode
  if (generationId !== group.generation) return KAFKA_ERROR.ILLEGAL_GENERATION
  renewSession(group.members.get(memberId)!, step)
  return group.phase === 'PreparingRebalance' ? KAFKA_ERROR.REBALANCE_IN_PROGRESS : KAFKA_ERROR.NONE
}

/** Takes members out; returns the outcome of each, in order. A static member may be named by its instance id alone. */
export function leave(group: Group, leaving: readonly LeavingMember[], step: GroupStep): number[] {
  const outcomes = leaving.map((member) => leaveOne(group, member, step))
  maybeCompleteRebalance(group, step)
  return outcomes
}

function leaveOne(group: Group, { memberId, groupInstanceId }: LeavingMember, step: GroupStep): number {
  if (group.pending.delete(memberId)) return KAFKA_ERROR.NONE
  const currentId = memberId === '' && groupInstanceId !== null ? group.staticIds.get(groupInstanceId) ?? '' : memberId
  const errorCode = memberError(group, currentId, groupInstanceId)
  if (errorCode === KAFKA_ERROR.NONE) removeMember(group, group.members.get(currentId)!, step)
  return errorCode
}
