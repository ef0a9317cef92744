/** Says where nobody reads for a zone: it takes what its clients produce, and looks well. */
import { hasReader } from '#shared/cluster/placement.ts'
import type { ClusterSnapshot, Membership } from '#shared/cluster/membership.ts'
import type { Log } from '#shared/log/log.ts'

export type ZoneReadersParts = { readonly zone: string; readonly membership: Membership; readonly log: Log }

/** Returns the way to stop. */
export function watchZoneReaders({ zone, membership, log }: ZoneReadersParts): () => void {
  let wasThere = true
  const look = (snapshot: ClusterSnapshot): void => {
    const isThere = hasReader(snapshot, zone)
    if (isThere === wasThere) return
    wasThere = isThere
    if (isThere) log.info('the zone has a broker again', { zone })
    else log.warn('the zone has no broker, so its clients can read nothing: start one there', { zone })
  }
  look(membership.current())
  return membership.watch(look)
}
