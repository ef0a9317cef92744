import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reader } from '#shared/binary/reader.ts'
import { decodeRequestHeader } from '#shared/wire/request-header.ts'

test('request-header: the client id keeps its old length in flexible versions, and may be null', () => {
  const reader = new Reader(Buffer.from('0012' + '0003' + '00000007' + '00026d65' + '00' + 'aa', 'hex'))
  assert.deepEqual(decodeRequestHeader(reader), { apiKey: 18, apiVersion: 3, correlationId: 7, clientId: 'me' })
  assert.equal(reader.remaining, 1)
  const nameless = new Reader(Buffer.from('0012' + '0000' + '00000007' + 'ffff', 'hex'))
  assert.equal(decodeRequestHeader(nameless).clientId, null)
})

test('request-header: an unknown API and a version too new are no errors here', () => {
  const unknown = new Reader(Buffer.from('7fff' + '0000' + '00000007' + 'ffff' + '99', 'hex'))
  assert.equal(decodeRequestHeader(unknown).apiKey, 0x7fff)
  const tooNew = new Reader(Buffer.from('0012' + '0063' + '00000007' + 'ffff' + '00', 'hex'))
  assert.equal(decodeRequestHeader(tooNew).apiVersion, 99)
})
