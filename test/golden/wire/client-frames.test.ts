/**
 * Goal: what real clients send is read whole, and written back byte for byte.
 * Method: each `<client>-<api>-v<version>-request.hex` is a frame (without its length) as a client sent it: kafkajs
 * 2.2, @platformatic/kafka 1.35, librdkafka 2.0 (kcat), kafka-python 2.0. Decode and encode header and body, compare.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { encodeMessage } from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { apiByKey } from '#shared/wire/api-registry.ts'
import { decodeRequestBody } from '#shared/wire/framing.ts'
import { decodeRequestHeader, encodeRequestHeader } from '#shared/wire/request-header.ts'

const folder = new URL('./', import.meta.url)
const names = readdirSync(folder).filter((name) => name.endsWith('.hex'))

function kebab(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, '$1-$2').toLowerCase()
}

test('wire: frames of real clients are here', () => {
  assert.ok(names.length > 0)
})

for (const name of names) {
  test(`wire: ${name} is read whole and written back`, () => {
    const frame = Buffer.from(readFileSync(new URL(name, folder), 'utf8').replace(/\s/g, ''), 'hex')
    const reader = new Reader(frame)
    const header = decodeRequestHeader(reader)
    const api = apiByKey(header.apiKey)
    assert.ok(api !== null)
    const named = `-${kebab(api.name)}-v${header.apiVersion}-request.hex`
    assert.ok(name.endsWith(named), named)
    const body = decodeRequestBody(api, header.apiVersion, reader)
    const writer = new Writer()
    encodeRequestHeader(header, writer)
    encodeMessage(api.request, header.apiVersion, body, writer)
    assert.equal(Buffer.concat(writer.finish()).toString('hex'), frame.toString('hex'))
  })
}
