import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKafkaErrorRetriable, KAFKA_ERROR as ERROR, kafkaErrorName } from '#shared/wire/error-codes.ts'

test('error-codes: numbers are dense, names are found back', () => {
  const codes = Object.values(ERROR)
  assert.deepEqual([...codes].sort((a, b) => a - b), Array.from({ length: codes.length }, (_, i) => i - 1))
  for (const [name, code] of Object.entries(ERROR)) assert.equal(kafkaErrorName(code), name)
  assert.equal(kafkaErrorName(9999), null)
})

test('error-codes: clients repeat what may pass, and only that', () => {
  for (const code of [ERROR.NOT_LEADER_OR_FOLLOWER, ERROR.REQUEST_TIMED_OUT, ERROR.KAFKA_STORAGE_ERROR]) {
    assert.equal(isKafkaErrorRetriable(code), true)
  }
  for (const code of [ERROR.NONE, ERROR.INVALID_REQUEST, ERROR.MESSAGE_TOO_LARGE, 9999]) {
    assert.equal(isKafkaErrorRetriable(code), false)
  }
})
