/**
 * Whose zone is a client in? Pure. What was observed (the listener it came through) is trusted; what it claims
 * (`client.rack`, or a tag in its `client.id`) is kept beside it, so that the two can disagree loudly, and so that a
 * client whose zone has lost its gateways is known where it comes through another zone's. There, what a gateway of its
 * own zone observed before it stopped counts for more than either.
 */

/** Where nothing is known. */
export const ZONE_UNKNOWN = 'unknown'

export type ZoneEvidence = {
  readonly observed: string // zone of the listener, or 'unknown'
  readonly observedBy: 'listener' | 'nothing'
  readonly claimed: string | null // what the client says
  readonly claimedBy: ZoneClaim | null
}

/** `gateway`: not the client, but a gateway of its zone said so. */
export type ZoneClaim = 'client.rack' | 'client.id' | 'gateway'

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

/**
 * Adds a claim. `gateway` outranks all, `client.rack` a tag in `client.id`; the later claim of one kind replaces the
 * earlier.
 */
export function withClaim(evidence: ZoneEvidence, claimedBy: ZoneClaim, claimed: string | null): ZoneEvidence {
  if (claimed === null || claimed === '') return evidence
  if (claimed === evidence.claimed && claimedBy === evidence.claimedBy) return evidence
  if (evidence.claimedBy !== null && RANK[evidence.claimedBy] > RANK[claimedBy]) return evidence
  return { ...evidence, claimed, claimedBy }
}

const RANK: Readonly<Record<ZoneClaim, number>> = { 'client.id': 0, 'client.rack': 1, gateway: 2 }

/** What is known of zones. */
export type ZoneFacts = {
  /** The cluster has a node there, or once had. */
  isKnown(zone: string): boolean
  /** The zone has a gateway that its clients are told. */
  isServed(zone: string): boolean
  /** Clients that claim another zone than the one observed are told the gateways of the one that they claim. */
  readonly followsClaims: boolean
}

export type Standing = {
  readonly zone: string // whose gateways the client is told
  readonly place: string // where its bytes come from and go to
  readonly isAway: boolean // it is served by another zone, because its own has no live gateway
}

/**
 * Where a client stands. What is observed beats what is claimed, but for two cases: the zone that is claimed is one of
 * the cluster and has no gateway now (the client cannot be where it connects to: it is there for want of its own); and
 * it was so `before` on this connection (then it is told its own zone's gateways as soon as there are some).
 * `client.rack` stands in fetches only, so it decides what is counted, never what is told: the other connections of the
 * same client would be told something else. What a gateway of its zone said of it stands.
 */
export function standingOf(evidence: ZoneEvidence, facts: ZoneFacts, before: Standing | null): Standing {
  const { observed, claimed, claimedBy } = evidence
  const own = claimed !== null && facts.isKnown(claimed) ? claimed : null
  if (observed === ZONE_UNKNOWN) return standing(own ?? ZONE_UNKNOWN, facts)
  if (own === null || own === observed) return standing(observed, facts)
  if (claimedBy === 'gateway') return standing(own, facts)
  const isAway = !facts.isServed(own)
  if (claimedBy === 'client.rack') return { zone: observed, place: isAway ? own : observed, isAway }
  return isAway || facts.followsClaims || before?.zone === own ? standing(own, facts) : standing(observed, facts)
}

function standing(zone: string, facts: ZoneFacts): Standing {
  return { zone, place: zone, isAway: facts.isKnown(zone) && !facts.isServed(zone) }
}

export function zonesDisagree(evidence: ZoneEvidence): boolean {
  return evidence.claimed !== null &&
    evidence.claimedBy !== 'gateway' && evidence.observed !== ZONE_UNKNOWN && evidence.claimed !== evidence.observed
}
