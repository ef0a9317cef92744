import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { METRICS_TABLES } from '#cli/metrics-tables.ts'
import { renderDocs } from '#cli/docs/render.ts'
import { SETTINGS_TABLES } from '#cli/settings-tables.ts'

for (const [path, text] of renderDocs()) {
  test(`docs: ${path} is what the code says (npm run docs writes it)`, () => {
    assert.equal(readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8'), text)
  })
}

test('settings: each name stands in one table, so that a flag means one thing, and its default is in range', () => {
  const names = SETTINGS_TABLES.flatMap(({ rows }) => Object.keys(rows))
  assert.equal(new Set(names).size, names.length)
  for (const { rows } of SETTINGS_TABLES) {
    for (const [name, row] of Object.entries(rows)) {
      assert.match(row.doc, /\.$/, name)
      if (row.default !== undefined && row.default !== '') assert.equal(row.read(row.default), row.default, name)
    }
  }
})

test('metrics: names follow the rule and stand in one table', () => {
  const rows = METRICS_TABLES.flatMap(({ table }) => Object.values(table))
  assert.equal(new Set(rows.map(({ name }) => name)).size, rows.length)
  for (const { name, type, unit } of rows) {
    assert.match(name, /^zonewise_[a-z0-9]+(_[a-z0-9]+)+$/)
    assert.equal(name.endsWith('_total'), type === 'counter', name)
    if (unit === 'seconds' || unit === 'bytes') assert.match(name.replace(/_total$/, ''), new RegExp(`_${unit}$`))
  }
})
