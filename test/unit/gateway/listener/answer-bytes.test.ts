import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerBytes } from '#gateway/listener/answer-bytes.ts'
import { LISTENER_METRICS } from '#gateway/metrics.ts'
import { gatewayTwin } from '#test/support/gateway-twin.ts'

const MiB = 2 ** 20

function setUp(bytesMax = 64 * MiB) {
  const { services, listenerMetrics } = gatewayTwin()
  const bytes = new AnswerBytes(bytesMax, listenerMetrics.answerBytes)
  const stays = new AbortController().signal
  return { bytes, stays, gauge: () => services.metrics.value(LISTENER_METRICS.answerBytes, { zone: 'az1' }) }
}

test('answer-bytes: everybody gets at most half of what is left, so that something is left for long', async () => {
  const { bytes, stays } = setUp()
  assert.equal(await bytes.take(MiB, stays), MiB)
  const granted: number[] = []
  for (let n = 0; n < 10; n++) granted.push(await bytes.take(64 * MiB, stays))
  assert.equal(granted[0], 63 * MiB / 2)
  assert.ok(granted.every((one, i) => i === 0 || one <= granted[i - 1]!))
  assert.ok(bytes.bytes < 64 * MiB, 'ten that take all they get leave room')
  assert.equal(bytes.isTight, true)
})

test('answer-bytes: where none is left one waits, in order, until something was read', async () => {
  const { bytes, stays, gauge } = setUp(MiB)
  bytes.add(MiB)
  const order: string[] = []
  const first = bytes.take(10, stays).then((room) => { order.push(`first ${room}`) })
  const second = bytes.take(20, stays).then((room) => { order.push(`second ${room}`) })
  await new Promise(setImmediate)
  assert.deepEqual(order, [])
  bytes.add(-70_000)
  await Promise.all([first, second])
  assert.deepEqual(order, ['first 10', 'second 20'])
  bytes.add(-30)
  assert.equal(bytes.bytes, MiB - 70_000)
  assert.equal(gauge(), MiB - 70_000)
})

test('answer-bytes: who is gone waits no more and takes nothing', async () => {
  const { bytes, stays } = setUp(MiB)
  bytes.add(MiB)
  const leaving = new AbortController()
  const gone = assert.rejects(bytes.take(10, leaving.signal), { name: 'AbortError' })
  const stayed = bytes.take(MiB, stays)
  leaving.abort()
  await gone
  await assert.rejects(bytes.take(10, leaving.signal), { name: 'AbortError' })
  bytes.add(-MiB)
  assert.equal(await stayed, MiB / 2)
  assert.equal(bytes.bytes, MiB / 2)
})
