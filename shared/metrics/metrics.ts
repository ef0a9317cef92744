/**
 * Metrics as tables: `<part>/metrics.ts` defines rows, constructors take handles, the registry renders Prometheus text.
 * Names are `zonewise_<part>_<what>_<unit>`, counters end in `_total`; seconds and bytes. A handle costs an addition;
 * what somebody knows anyway is polled when the text is rendered, and costs nothing before.
 */
import assert from 'node:assert/strict'

export type MetricRow = {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly unit: 'seconds' | 'bytes' | 'count' | 'ratio'
  readonly labels: readonly string[]
  readonly buckets?: readonly number[] // upper bounds of a histogram, ascending; +Inf is implied
  readonly help: string
}
export type MetricsTable = Readonly<Record<string, MetricRow>>

export type Counter = { add(count: number): void }
export type Gauge = { set(value: number): void; add(delta: number): void }
export type Histogram = { observe(value: number): void }
export type Labels = Readonly<Record<string, string>>
/** Values as they are now; those with the same labels, of whomever, add up. */
export type Poll = () => Iterable<readonly [Labels, number]>

/** Bounds from 0.25 ms to 30 s, for what takes part of a request. */
export const SECONDS_BUCKETS: readonly number[] =
  [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Bounds from 256 bytes to 64 MiB. */
export const BYTES_BUCKETS: readonly number[] = Array.from({ length: 10 }, (_, i) => 256 * 4 ** i)

/** Bounds from 1 to 65,536, for how many of something go together. */
export const COUNT_BUCKETS: readonly number[] = Array.from({ length: 9 }, (_, i) => 4 ** i)

/** Bounds of a share. */
export const RATIO_BUCKETS: readonly number[] = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1]

/** Series per metric: a label whose values grow without end is a bug. Three zones of 4,096 shards are fewer. */
const SERIES_MAX = 20_000

class Value implements Counter, Gauge {
  value = 0

  add(delta: number): void {
    this.value += delta
  }

  set(value: number): void {
    this.value = value
  }
}

class Buckets implements Histogram {
  readonly bounds: readonly number[]
  readonly counts: Float64Array // one more than bounds: what lies above the last
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    this.sum += value
    const { bounds, counts } = this
    let i = 0
    while (i < bounds.length && value > bounds[i]!) i++
    counts[i]! += 1
  }
}

type Family = { readonly row: MetricRow; readonly series: Map<string, Value | Buckets>; readonly polls: Poll[] }

/** Handles are taken once, in constructors: the same row and labels give the same handle. */
export class Metrics {
  readonly #families = new Map<string, Family>()

  counter(row: MetricRow, labels: Labels = {}): Counter {
    return this.#series(row, 'counter', labels) as Value
  }

  gauge(row: MetricRow, labels: Labels = {}): Gauge {
    return this.#series(row, 'gauge', labels) as Value
  }

  histogram(row: MetricRow, labels: Labels = {}): Histogram {
    return this.#series(row, 'histogram', labels) as Buckets
  }

  /** Asks `poll` for the values of a gauge, or of a counter that somebody keeps anyway, at each rendering. */
  poll(row: MetricRow, poll: Poll): void {
    assert.notEqual(row.type, 'histogram')
    this.#family(row).polls.push(poll)
  }

  /** The value of a counter or gauge; the number of observations of a histogram; 0 where nothing was counted. */
  value(row: MetricRow, labels: Labels = {}): number {
    const family = this.#families.get(row.name)
    const one = family === undefined ? undefined : polled(family).get(labelText(row, labels))
    if (one === undefined) return 0
    return one instanceof Value ? one.value : one.counts.reduce((sum, count) => sum + count, 0)
  }

  /** Prometheus' text format 0.0.4. */
  render(): string {
    const lines: string[] = []
    for (const [name, family] of [...this.#families].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const { row } = family
      const help = row.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${row.type}`)
      for (const [labels, one] of polled(family)) {
        if (one instanceof Value) lines.push(`${name}${braced(labels)} ${numberText(one.value)}`)
        else renderBuckets(lines, name, labels, one)
      }
    }
    return `${lines.join('\n')}\n`
  }

  #family(row: MetricRow): Family {
    let family = this.#families.get(row.name)
    if (family === undefined) this.#families.set(row.name, (family = { row, series: new Map(), polls: [] }))
    assert.equal(family.row, row, `two metrics named ${row.name}`)
    return family
  }

  #series(row: MetricRow, type: MetricRow['type'], labels: Labels): Value | Buckets {
    assert.equal(row.type, type)
    const family = this.#family(row)
    const key = labelText(row, labels)
    let series = family.series.get(key)
    if (series === undefined) {
      assert(family.series.size < SERIES_MAX, `too many series of ${row.name}`)
      series = type === 'histogram' ? new Buckets(row.buckets ?? SECONDS_BUCKETS) : new Value()
      family.series.set(key, series)
    }
    return series
  }
}

/** The series of a family with what was polled added, which is forgotten again. */
function polled({ row, series, polls }: Family): ReadonlyMap<string, Value | Buckets> {
  if (polls.length === 0) return series
  const all = new Map(series)
  for (const poll of polls)
    for (const [labels, value] of poll()) {
      const key = labelText(row, labels)
      const before = all.get(key)
      const sum = new Value()
      sum.set(value + (before instanceof Value ? before.value : 0))
      all.set(key, sum)
      assert(all.size <= SERIES_MAX, `too many series of ${row.name}`)
    }
  return all
}

function labelText(row: MetricRow, labels: Labels): string {
  assert.equal(Object.keys(labels).length, row.labels.length, `labels of ${row.name}`)
  return row.labels.map((label) => {
    const value = labels[label]
    assert(value !== undefined, `${row.name} needs the label ${label}`)
    return `${label}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
  }).join(',')
}

function renderBuckets(lines: string[], name: string, labels: string, { bounds, counts, sum }: Buckets): void {
  const before = labels === '' ? '' : `${labels},`
  let total = 0
  for (let i = 0; i < counts.length; i++) {
    total += counts[i]!
    lines.push(`${name}_bucket{${before}le="${i < bounds.length ? bounds[i] : '+Inf'}"} ${total}`)
  }
  lines.push(`${name}_sum${braced(labels)} ${numberText(sum)}`, `${name}_count${braced(labels)} ${total}`)
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf'
}
