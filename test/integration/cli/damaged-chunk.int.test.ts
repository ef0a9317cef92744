/**
 * Goal: a bit that flips in a stored chunk is noticed by whoever reads it, named by key and position, and costs its own
 * partition only; once it is put right, reading goes on.
 * Method: a real server; the chunk's file is changed on disk behind its back.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { API } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { FetchResponse } from '#shared/wire/api/fetch.ts'
import { decodeResponseFrame, encodeRequestFrame } from '#shared/wire/framing.ts'
import { newBatch, newProduceFrame } from '#cli/load/batch.ts'
import { createTopic } from '#cli/load/ask.ts'
import { RawClient } from '#cli/load/raw-client.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { startServer, type Server } from '#test/support/zonewise-process.ts'

const FETCH_VERSION = 11
const BATCH = newBatch(1, 500)
const DAMAGE_AT = BATCH.length + 100 // in the second batch of the chunk

const folder = temporaryFolder()
let server: Server

before(async () => { server = await startServer(folder) })
after(async () => { await server.end('SIGKILL') })

async function fetchBoth(zone: number): Promise<FetchResponse['responses'][number]['partitions']> {
  const client = await RawClient.open(server.endpoints.listeners[zone]!)
  const partitions = [0, 1].map((partition) => ({
    partition, fetchOffset: 0, partitionMaxBytes: 100_000,
    currentLeaderEpoch: -1, lastFetchedEpoch: -1, logStartOffset: -1
  }))
  const header = { version: FETCH_VERSION, correlationId: 0, clientId: 'test' }
  const frame = Buffer.concat(encodeRequestFrame(API.fetch, header, {
    clusterId: null, replicaId: -1, maxWaitMs: 1_000, minBytes: 1, maxBytes: 100_000, isolationLevel: 0,
    sessionId: 0, sessionEpoch: -1, topics: [{ topic: 'orders', partitions }], forgottenTopicsData: [], rackId: ''
  }))
  const { body } = decodeResponseFrame(API.fetch, FETCH_VERSION, await client.ask(frame))
  client.close()
  return body.responses.flatMap((one) => one.partitions)
}

function chunkFile(): string {
  const root = join(folder, 'data', 'store', 'chunks')
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  assert.equal(files.length, 1)
  return join(files[0]!.parentPath, files[0]!.name)
}

function flipBit(): void {
  const bytes = readFileSync(chunkFile())
  bytes[DAMAGE_AT]! ^= 4
  writeFileSync(chunkFile(), bytes)
}

test('zonewise: a flipped bit in a chunk is noticed, named, costs its own partition only, and may be put right', async () => {
  await createTopic(server.endpoints.listeners[0]!, 'orders', 2)
  const producer = await RawClient.open(server.endpoints.listeners[0]!)
  await producer.ask(newProduceFrame('orders', [0, 1], BATCH))
  producer.close()
  flipBit()
  const damaged = await fetchBoth(1)
  const codes = damaged.map(({ errorCode }) => errorCode).sort((a, b) => a - b)
  assert.deepEqual(codes, [0, KAFKA_ERROR.KAFKA_STORAGE_ERROR])
  const intact = damaged.find(({ errorCode }) => errorCode === 0)
  const behindEpoch = (intact!.records as Uint8Array).subarray(16)
  assert.equal(Buffer.compare(behindEpoch, BATCH.subarray(16)), 0)
  assert.match(server.log(), /chunk cannot be read/)
  assert.ok(server.log().includes(chunkFile().slice(chunkFile().indexOf('chunks/'))), 'the key is in the log')
  assert.match(server.log(), new RegExp(`position\\D+${BATCH.length}\\b`))
  flipBit()
  for (const zone of [1, 2]) assert.deepEqual((await fetchBoth(zone)).map(({ errorCode }) => errorCode), [0, 0])
})
