import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionsWithin, requireOpenFiles } from '#cli/platform/open-files.ts'

const limits = (value: string): string =>
  `Limit   Soft Limit  Hard Limit  Units\nMax open files            ${value}   ${value}   files\n`

test('open-files: a limit that is too low is refused, one that is enough is told', () => {
  assert.throws(() => requireOpenFiles(limits('1023')), { code: 'TOO_FEW_FILES' })
  assert.equal(requireOpenFiles(limits('1024')), 1_024)
  assert.equal(requireOpenFiles(limits('unlimited')), null)
  assert.equal(requireOpenFiles('of another system'), null)
})

test('open-files: connections leave room for store and journal', () => {
  const wanted = { connectionsMax: 10_000, gateways: 3, storeFilesOpenMax: 256 }
  assert.equal(connectionsWithin(null, wanted), 10_000)
  assert.equal(connectionsWithin(1_000_000, wanted), 10_000)
  assert.equal(connectionsWithin(1_024, wanted), 128)
  assert.equal(connectionsWithin(1_024, { ...wanted, storeFilesOpenMax: 100_000 }), 16)
})
