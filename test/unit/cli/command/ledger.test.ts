import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ledgerText } from '#cli/command/ledger.ts'
import { bytesText } from '#cli/command/text-table.ts'
import { Ledger } from '#shared/ledger/ledger.ts'

test('ledger: a table of zones, and what crosses by cause', () => {
  const ledger = new Ledger()
  ledger.add('z1', 'z1', 'produce', 2_048, 1)
  ledger.add('z1', 'z2', 'commit', 600, 2)
  ledger.add('z2', 'z1', 'feed', 424, 1)
  ledger.add('z1', 'store', 'chunk-put', 3 * 2 ** 20, 1)
  assert.equal(ledgerText(ledger.rows()), `from \\ to       z1     z2    store
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
  assert.equal(ledgerText(ledger.rows()), 'Nothing was counted yet.\n')
  ledger.add('z1', 'z2', 'fetch', 5_000, 1)
  assert.match(ledgerText(ledger.rows()), /payload +4\.9 KiB \(fetch 4\.9 KiB\)/)
})

test('text-table: sizes are short', () => {
  assert.deepEqual(
    [0, 1_023, 1_024, 10 * 2 ** 20, 1.5 * 2 ** 30].map(bytesText), ['0 B', '1023 B', '1.0 KiB', '10 MiB', '1.5 GiB']
  )
})
