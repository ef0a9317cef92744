import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trafficText, zoneTraffic } from '#infra/local/zone-traffic.ts'
import { Ledger } from '#shared/ledger/ledger.ts'

test('zone-traffic: the ledger\'s store and journal are where they stand; what stays in a zone is left out', () => {
  const ledger = new Ledger()
  ledger.add('a', 'b', 'commit', 900, 1)
  ledger.add('b', 'journal', 'journal', 70, 1)
  ledger.add('b', 'a', 'feed', 100, 1)
  ledger.add('a', 'journal', 'journal', 5_000, 1)
  ledger.add('a', 'a', 'produce', 5_000, 1)
  ledger.add('a', 'store', 'chunk-put', 40, 1)
  const pairs = [
    { from: 'a', to: 'b', bytes: 1_004, packets: 2 }, { from: 'b', to: 'a', bytes: 152, packets: 1 },
    { from: 'b', to: 'c', bytes: 104, packets: 2 }, { from: 'b', to: 'redis', bytes: 122, packets: 1 }
  ]
  const traffic = zoneTraffic(pairs, ledger.rows(), { store: 'region', journal: 'redis', journalZone: 'a' })
  assert.deepEqual(traffic, [
    { from: 'a', to: 'b', kernelBytes: 1_004, bareBytes: 900, ledgerBytes: 900 },
    { from: 'a', to: 'region', kernelBytes: 0, bareBytes: 0, ledgerBytes: 40 },
    { from: 'b', to: 'a', kernelBytes: 152, bareBytes: 100, ledgerBytes: 100 },
    { from: 'b', to: 'c', kernelBytes: 104, bareBytes: 0, ledgerBytes: 0 },
    { from: 'b', to: 'redis', kernelBytes: 122, bareBytes: 70, ledgerBytes: 70 }
  ])
  assert.match(trafficText(traffic), /^a +b +1004 B +900 B +900 B$/m)
})
