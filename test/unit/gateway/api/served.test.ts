/** Goal: what is advertised is what is served, with the minimums that old clients need (PROTOCOL 1.1, 1.4). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SERVED } from '#gateway/api/served.ts'
import { handleFetch } from '#gateway/api/fetch.ts'
import { contextOf, gatewayTwin } from '#test/support/gateway-twin.ts'

const ADVERTISED: readonly (readonly [apiKey: number, min: number, max: number])[] = [
  [0, 0, 9], [1, 4, 12], [2, 1, 11], [3, 0, 13], [8, 2, 10], [9, 1, 10], [10, 0, 6], [11, 0, 9], [12, 0, 4], [13, 0, 5],
  [14, 0, 5],
  [15, 0, 6], [16, 0, 5], [18, 0, 4], [19, 2, 7], [20, 1, 6], [22, 0, 5], [23, 2, 4], [32, 1, 4], [37, 0, 3],
  [42, 0, 2], [60, 0, 2]
]

test('served: ApiVersions says exactly the table, keys ascending (PROTOCOL 1.1)', async () => {
  const { services } = gatewayTwin()
  const answer = await SERVED.byKey[18]!.handler(contextOf(), 0, {}, services) as {
    apiKeys: { apiKey: number; minVersion: number; maxVersion: number }[]
  }
  assert.deepEqual(
    answer.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, minVersion, maxVersion]), ADVERTISED
  )
})

test('served: Produce 0-2 are advertised for old librdkafka and not served (KAFKA-18659)', () => {
  const { advertisedMin, versionMin, versionMax, pipelined, cause } = SERVED.byKey[0]!
  assert.deepEqual({ advertisedMin, versionMin, versionMax, pipelined, cause }, {
    advertisedMin: 0, versionMin: 3, versionMax: 9, pipelined: true, cause: 'produce'
  })
})

test('served: fetches are charged as fetches and wait for their turn (PROTOCOL 1)', () => {
  const { cause, pipelined, handler } = SERVED.byKey[1]!
  assert.deepEqual({ cause, pipelined }, { cause: 'fetch', pipelined: false })
  assert.equal(handler, handleFetch)
})
