/**
 * Whose zone is a client in? Pure. What was observed (the listener it came through) is trusted; what it claims
 * (`client.rack`, or a tag in its `client.id`) is kept beside it, so that the two can disagree loudly.
 */

/** Where nothing is known. */
export const ZONE_UNKNOWN = 'unknown'

export type ZoneEvidence = {
  readonly observed: string // zone of the listener, or 'unknown'
  readonly observedBy: 'listener' | 'nothing'
  readonly claimed: string | null // what the client says
  readonly claimedBy: ZoneClaim | null
}

export type ZoneClaim = 'client.rack' | 'client.id'

// Ours and the dialects of other systems, so that their clients need no new configuration. A longer name that only ends
// in one of them (`my_zone=`) is somebody else's tag.
const TAG = /(?:^|[^a-z0-9_-])(?:zone|ws_az|automq_az|diskless_az)=([A-Za-z0-9-]{1,64})/
const TAG_LENGTH_MAX = 4_096 // of a client id looked at

/** The zone named by a tag in `client.id`, or null. */
export function zoneOfClientId(clientId: string | null): string | null {
  if (clientId === null || clientId.length < 6 || clientId.length > TAG_LENGTH_MAX) return null
  return TAG.exec(clientId)?.[1] ?? null
}

export function observedThroughListener(zone: string): ZoneEvidence {
  const known = zone !== '' && zone !== ZONE_UNKNOWN
  return {
    observed: known ? zone : ZONE_UNKNOWN, observedBy: known ? 'listener' : 'nothing', claimed: null, claimedBy: null
  }
}

/** Adds a claim. `client.rack` outranks a tag in `client.id`; the later claim of one kind replaces the earlier. */
export function withClaim(evidence: ZoneEvidence, claimedBy: ZoneClaim, claimed: string | null): ZoneEvidence {
  if (claimed === null || claimed === '') return evidence
  if (claimed === evidence.claimed && claimedBy === evidence.claimedBy) return evidence
  if (evidence.claimedBy === 'client.rack' && claimedBy === 'client.id') return evidence
  return { ...evidence, claimed, claimedBy }
}

/** The zone that a client is taken to be in: observed beats claimed. */
export function resolveZone(evidence: ZoneEvidence): string {
  if (evidence.observed !== ZONE_UNKNOWN) return evidence.observed
  return evidence.claimed ?? ZONE_UNKNOWN
}

export function zonesDisagree(evidence: ZoneEvidence): boolean {
  return evidence.claimed !== null && evidence.observed !== ZONE_UNKNOWN && evidence.claimed !== evidence.observed
}
