/**
 * Placements that a client asks for in CreateTopics and CreatePartitions. Where data lies is not the client's to say:
 * they count partitions and replicas, and what contradicts itself is refused in Kafka's words (PROTOCOL 55, 59).
 */
import type { GatewayServices } from './handler.ts'

/** Why these replicas, one list a partition, cannot be; null: they can. */
export function placementFault(services: GatewayServices, placements: readonly (readonly number[])[]): string | null {
  const nodeIds = new Set(services.membership.current().nodes.map(({ nodeId }) => nodeId))
  const replicaCount = placements[0]?.length ?? 0
  for (const brokerIds of placements) {
    if (brokerIds.length === 0) return 'The manual partition assignment includes an empty replica list.'
    const twice = brokerIds.find((id, i) => brokerIds.indexOf(id) !== i)
    if (twice !== undefined) return `The manual partition assignment includes the broker ${twice} more than once.`
    const unknown = brokerIds.find((id) => !nodeIds.has(id))
    if (unknown !== undefined)
      return `The manual partition assignment includes broker ${unknown}, but no such broker is registered.`
    if (brokerIds.length !== replicaCount) {
      return `The manual partition assignment includes a partition with ${brokerIds.length} replica(s), ` +
        `but this is not consistent with previous partitions, which have ${replicaCount} replica(s).`
    }
  }
  return null
}
