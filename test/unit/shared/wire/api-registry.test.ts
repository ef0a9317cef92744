import assert from 'node:assert/strict'
import { test } from 'node:test'
import { API, API_LIST, apiByKey, isApiFlexible } from '#shared/wire/api-registry.ts'

test('api-registry: both directions of an API have the same versions', () => {
  for (const api of API_LIST) {
    assert.equal(api.response.versionMin, api.versionMin, api.name)
    assert.equal(api.response.versionMax, api.versionMax, api.name)
    assert.equal(api.response.flexibleSince, api.flexibleSince, api.name)
    assert.equal(api.response.name, `${api.name}Response`)
    assert.equal(apiByKey(api.apiKey), api)
  }
  assert.equal(new Set(API_LIST.map((api) => api.apiKey)).size, API_LIST.length)
})

test('api-registry: Produce is advertised from 0, though it is served from 3', () => {
  assert.deepEqual([API.produce.advertisedMin, API.produce.versionMin, API.produce.versionMax], [0, 3, 9])
})

test('api-registry: SASL and what nobody defined are absent', () => {
  for (const apiKey of [17, 36, -1, 9999]) assert.equal(apiByKey(apiKey), null)
})

test('api-registry: a version is flexible from the first flexible one on, also one still unknown', () => {
  assert.deepEqual([2, 3, 99].map((version) => isApiFlexible(API.apiVersions, version)), [false, true, true])
})
