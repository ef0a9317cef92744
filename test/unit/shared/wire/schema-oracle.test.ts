/**
 * Goal: our tables say what Kafka's own definitions say.
 * Method: every message, every version, field by field: name, order, type, nullability, tag, default of a tag.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { API_LIST } from '#shared/wire/api-registry.ts'
import { oracleFolder, oracleHas, oracleLayout, ourLayout, readOracle } from '#test/support/kafka-oracle.ts'

const skip = oracleFolder === null && 'SKIPPED: the definitions of Kafka do not lie beside this checkout'

for (const api of API_LIST) {
  for (const message of [api.request, api.response]) {
    test(`wire: ${message.name} is what Kafka defines, versions ${api.versionMin}-${api.versionMax}`, { skip }, () => {
      const oracle = readOracle(message.name)
      assert.equal(oracle.apiKey, api.apiKey)
      for (let version = api.versionMin; version <= api.versionMax; version++) {
        assert.ok(oracleHas(oracle, version), `Kafka knows version ${version}`)
        assert.deepEqual(ourLayout(message, version), oracleLayout(oracle, version), `version ${version}`)
      }
    })
  }
}
