/** Reads Prometheus' text format, strictly: a line that is none fails, and so does a series that stands twice. */
import assert from 'node:assert/strict'

const SAMPLE = /^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)+)\})? (-?[0-9.e+-]+|NaN|[+-]Inf)$/

export type Sample =
  { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }

export class Scrape {
  readonly types = new Map<string, string>() // by name of the metric
  readonly samples: Sample[] = []

  constructor(text: string) {
    assert.match(text, /\n$/)
    const series = new Set<string>()
    for (const line of text.slice(0, -1).split('\n')) {
      const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line)
      if (type !== null) this.types.set(type[1]!, type[2]!)
      if (line.startsWith('# ')) continue
      const [, name, labels = '', value] = SAMPLE.exec(line) ?? assert.fail(`no sample: ${line}`)
      const key = `${name}{${labels}}`
      assert(!series.has(key), `stands twice: ${key}`)
      series.add(key)
      const pairs = [...labels.matchAll(/([a-z]+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label!, text!])
      this.samples.push(
        { name: name!, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }
      )
    }
  }

  /** The sum of the samples of `name` that have these labels. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels)
    return this.samples.filter((one) =>
      one.name === name && wanted.every(([label, text]) => one.labels[label] === text))
      .reduce((sum, { value }) => sum + value, 0)
  }
}
