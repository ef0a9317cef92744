/** Metrics of consumer groups, of all shards that a node leads. */
import type { Counter, Metrics, MetricsTable } from '#shared/metrics/metrics.ts'
import type { GroupsState } from './groups-state.ts'

export const GROUP_METRICS = {
  groups: { name: 'zonewise_group_groups', type: 'gauge', unit: 'count', labels: ['zone', 'state'], help: 'Consumer groups that this zone\'s node coordinates: with members, or empty.' },
  members: { name: 'zonewise_group_members', type: 'gauge', unit: 'count', labels: ['zone'], help: 'Members of the newest settled generations of those groups.' },
  generations: { name: 'zonewise_group_rebalances_total', type: 'counter', unit: 'count', labels: ['zone'], help: 'Generations of groups that were settled: each is the end of a rebalance.' }
} as const satisfies MetricsTable

export class GroupMetrics {
  readonly generations: Counter

  /** `states`: groups of the shards that the node leads, as far as they are durable. */
  constructor(metrics: Metrics, zone: string, states: () => readonly GroupsState[]) {
    this.generations = metrics.counter(GROUP_METRICS.generations, { zone })
    metrics.poll(GROUP_METRICS.groups, () => {
      const sizes = memberCounts(states())
      const activeCount = sizes.filter((size) => size > 0).length
      return [[{ zone, state: 'active' }, activeCount], [{ zone, state: 'empty' }, sizes.length - activeCount]]
    })
    metrics.poll(GROUP_METRICS.members, () =>
      [[{ zone }, memberCounts(states()).reduce((sum, size) => sum + size, 0)]])
  }
}

function memberCounts(states: readonly GroupsState[]): number[] {
  return states.flatMap(({ groups }) => [...groups.values()].map(({ members }) => members.length))
}
