/**
 * `cluster.version`: what nodes may write down that others read. The catalog holds the version that is final: every
 * node alive understood it when it was raised, and a node that does not may not join any more. So a kind that older
 * software does not know is written only from its version on, and two versions of it run together meanwhile.
 *   1  the first
 *   2  commits carry the floor of their source; sources of dead nodes are closed
 *   3  commits and groups are written in fewer bytes
 */
export type VersionRange = { readonly min: number; readonly max: number }

/** What this software reads and writes. */
export const CLUSTER_VERSIONS: VersionRange = { min: 1, max: 3 }

export const SINCE = { sourceFloors: 2, compactEntries: 3 } as const

/** The version to raise to, or null: a node is alive that knows no higher one, or none says what it knows. */
export function nextClusterVersion(final: number, alive: readonly VersionRange[]): number | null {
  if (alive.length === 0) return null
  const common = Math.min(...alive.map(({ max }) => max))
  return common > final ? common : null
}
