import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ledgerText, ratesBetween } from '#cli/command/ledger-text.ts'
import { bytesText } from '#cli/command/text-table.ts'
import { Ledger } from '#shared/ledger/ledger.ts'

test('ledger: a table of zones, and what crosses by cause', () => {
  const ledger = new Ledger()
  ledger.add('z1', 'z1', 'produce', 2_048, 1)
  ledger.add('z1', 'z2', 'commit', 600, 2)
  ledger.add('z2', 'z1', 'feed', 424, 1)
  ledger.add('z1', 'store', 'chunk-put', 3 * 2 ** 20, 1)
  assert.equal(ledgerText({ rows: ledger.rows() }), `from \\ to       z1     z2    store
z1         2.0 KiB  600 B  3.0 MiB
z2           424 B      -        -
store            -      -        -

Across zones:
  payload      0 B
  no payload   1.0 KiB (commit 600 B, feed 424 B)
`)
})

test('ledger: payload that crosses is shown, and an empty ledger says so', () => {
  const ledger = new Ledger()
  assert.equal(ledgerText({ rows: ledger.rows() }), 'Nothing was counted yet.\n')
  ledger.add('z1', 'z2', 'fetch', 5_000, 1)
  assert.match(ledgerText({ rows: ledger.rows() }), /payload +4\.9 KiB \(fetch 4\.9 KiB\)/)
})

test('ledger: rates stand beside the totals, or below where the terminal is narrow; a restart is no negative rate', () => {
  const ledger = new Ledger()
  const look = () => ({ rows: ledger.rows() })
  ledger.add('z1', 'z2', 'commit', 1_000, 1)
  ledger.add('z2', 'z1', 'fetch', 500, 1)
  const before = look()
  ledger.add('z1', 'z2', 'commit', 4_096, 1)
  ledger.cell('z2', 'z1', 'fetch').bytes = 100
  const rates = ratesBetween(before, look(), 2)
  assert.equal(ledgerText(look(), rates), `from \\ to            z1                  z2
z1             -         5.0 KiB  2.0 KiB/s
z2         100 B  0 B/s        -

Across zones:
  payload      100 B  0 B/s (fetch 100 B)
  no payload   5.0 KiB  2.0 KiB/s (commit 5.0 KiB)
`)
  assert.equal(ledgerText(look(), rates, 30).split('\n\n')[0], `from \\ to     z1         z2
z1             -    5.0 KiB
                  2.0 KiB/s
z2         100 B          -
           0 B/s`)
})

test('ledger: nodes that did not answer are named', () => {
  const ledger = new Ledger()
  ledger.add('z1', 'z2', 'commit', 1_000, 1)
  const one = ledgerText({ rows: ledger.rows(), missing: [2] })
  assert.match(one, /\nNode 2 did not answer: what it counted is not in\.\n$/)
  const two = ledgerText({ rows: [], missing: [2, 3] })
  assert.match(two, /\nNodes 2, 3 did not answer: what they counted is not in\.\n$/)
})

test('text-table: sizes are short', () => {
  assert.deepEqual(
    [0, 1_023, 1_024, 10 * 2 ** 20, 1.5 * 2 ** 30].map(bytesText), ['0 B', '1023 B', '1.0 KiB', '10 MiB', '1.5 GiB']
  )
})
