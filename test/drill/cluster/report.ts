/** What drills found, as a table for docs/operations.md and for whoever reads the end of a run. */
import type { DrillReport } from './run-drill.ts'

/** One row for each question of each drill: the worst zone counts. */
export function markdownOf(reports: readonly DrillReport[]): string {
  const rows = reports.flatMap(({ name, what, partitions, probes, load }) => {
    const moments = [...new Set(probes.map(({ when }) => when))].filter((when) => when !== 'before')
    return moments.map((when) => {
      const asked = probes.filter((probe) => probe.when === when)
      const worst = (pick: (probe: typeof asked[number]) => number): string => seconds(Math.max(...asked.map(pick)))
      return [
        name, what, when, asked.map(({ zone }) => zone).toSorted().join(' '), String(partitions),
        worst(({ writtenMs }) => writtenMs), worst(({ readMs }) => readMs), worst(({ tailReadMs }) => tailReadMs),
        load.toFixed(1)
      ]
    })
  })
  const head =
    ['drill', 'what', 'asked when', 'in zones', 'partitions', 'all written', 'all read', 'new ones read', 'load']
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

/** What applications of librdkafka noticed of restarts. */
export function clientsMarkdownOf(reports: readonly DrillReport[]): string {
  const rows = reports.flatMap(({ name, watches }) => watches.map(({ when, client, deliveries, longestMs, told }) => {
    const codes = Object.entries(told).map((pair) => pair.join(' ')).join(', ')
    return [name, when, client, String(deliveries), seconds(longestMs), codes]
  }))
  if (rows.length === 0) return ''
  const head = ['drill', 'when', 'client', 'deliveries', 'longest', 'told']
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
}
