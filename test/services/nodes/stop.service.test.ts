/**
 * Goal: a node that is told to stop ends in time though Redis is away, and loses nothing that it acknowledged.
 * Method: a producer under way, Redis killed or standing still, then SIGTERM; at last all is there again and read.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { NodeCluster, pause, until } from '../tool/node-cluster.ts'
import { KafkajsConsumer, KafkajsProducer } from './kafkajs-load.ts'

const END_MS_MAX = 12_000 // ten seconds is the bound, as --stop-away-ms says

let cluster: NodeCluster
before(async () => { cluster = await NodeCluster.start(['az1', 'az2']) })
after(() => cluster.end())

for (const [how, away, back] of [
  ['killed', () => cluster.redis.kill(), () => cluster.redis.start()],
  ['standing still', async () => { cluster.redis.pause() }, async () => { cluster.redis.resume() }]
] as const) test(`stop: nodes end in time with Redis ${how}, and nothing acknowledged is lost`, async (context) => {
  const topic = `kept-${how.replace(' ', '-')}`
  const [first, second] = cluster.nodes
  const producer = new KafkajsProducer(first!.kafka, topic)
  await until(() => producer.sent > 20, 'it produces')
  await away()
  await pause(500)
  const ended = await Promise.all([first!, second!].map(async (node) => {
    const fromMs = performance.now()
    return { code: await node.stop(), tookMs: Math.round(performance.now() - fromMs), log: node.log }
  }))
  for (const { code, tookMs, log } of ended) {
    context.diagnostic(`ended after ${tookMs} ms with ${code}`)
    assert(tookMs < END_MS_MAX, `ended after ${tookMs} ms:\n${log}`)
    assert.equal(code, 0, log)
  }
  await back()
  await Promise.all([first!.start(), second!.start()])
  await producer.end()
  const consumer = new KafkajsConsumer(second!.kafka, `readers-of-${topic}`)
  await consumer.start(topic)
  await until(() => consumer.counts.size >= producer.sent, `all of ${producer.sent} are read`)
  await consumer.end()
})
