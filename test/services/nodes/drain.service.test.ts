/**
 * Goal: a graceful restart of a gateway is felt by no client: no error, no record lost or doubled, nothing that waits
 * for long; those of a zone with another gateway move there in time, those of a zone without one come back.
 * Method: two gateways in az1 and one in az2, producers and consumer groups of librdkafka, restarts under their feet.
 * kcat ends when no broker is left, so the clients of the only gateway are kafkajs.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { NodeCluster, pause, SlowRequests, until } from '../tool/node-cluster.ts'
import { KafkajsConsumer, KafkajsProducer } from './kafkajs-load.ts'
import { endKcats, KcatConsumer, KcatProducer } from './kcat.ts'

const DELAY_MS_MAX = 4_000 // of a record: its producer and its consumer back off, look for metadata and connect
const BACK_MS_MAX = 30_000 // of a process that starts again, and of a client that waits between two tries

let cluster: NodeCluster
before(async () => { cluster = await NodeCluster.start(['az1', 'az1', 'az2']) })
after(async () => {
  endKcats()
  await cluster.end()
})

type Load = { readonly producer: KcatProducer; readonly consumer: KcatConsumer }

async function load(servers: string, topic: string): Promise<Load> {
  const producer = new KcatProducer(servers, topic)
  await pause(1_000) // the topic is there
  const consumer = new KcatConsumer(servers, topic, `readers-of-${topic}`)
  await until(() => consumer.counts.size > 0, 'the group reads')
  await until(() => consumer.counts.size > producer.sent - 10, 'the group has caught up')
  consumer.delayMsMax = 0
  return { producer, consumer }
}

async function settle({ producer, consumer }: Load): Promise<void> {
  assert.deepEqual(await producer.end(), [])
  await until(() => consumer.counts.size === producer.sent, `all of ${producer.sent} are read`)
  assert.deepEqual(await consumer.end(), [])
  const doubled = [...consumer.counts].filter(([, count]) => count > 1).map(([number]) => number)
  assert.deepEqual(doubled, [])
}

test('drain: clients of a zone with two gateways do not feel the restart of either', async (context) => {
  const [first, second] = cluster.nodes
  const both = await load(`${first!.kafka},${second!.kafka}`, 'moved')
  const slow = new SlowRequests(cluster.nodes)
  for (const node of [first!, second!]) {
    assert.equal(await node.stop(), 0, node.log)
    await pause(1_000)
    await node.start()
    await pause(2_000)
  }
  context.diagnostic(`longest way of a record: ${both.consumer.delayMsMax} ms`)
  assert.equal(await slow.end(), 0, 'requests that took longer than a second')
  assert(both.consumer.delayMsMax < DELAY_MS_MAX, `${both.consumer.delayMsMax} ms`)
  await settle(both)
})

test('drain: clients of the only gateway of a zone come back to it', async (context) => {
  const only = cluster.nodes[2]!
  const producer = new KafkajsProducer(only.kafka, 'returned')
  await until(() => producer.sent > 0, 'the topic is there')
  const consumer = new KafkajsConsumer(only.kafka, 'readers-of-returned')
  await consumer.start('returned')
  await until(() => consumer.counts.size > 0, 'the group reads')
  const stoppedMs = performance.now()
  assert.equal(await only.stop(), 0, only.log)
  const tookMs = performance.now() - stoppedMs
  await only.start()
  const { sent } = producer
  await until(() => consumer.counts.size > sent + 10, 'the clients are back', BACK_MS_MAX)
  const [stopMs, waitMs] = [tookMs, producer.waitMsMax].map(Math.round)
  context.diagnostic(`stopped in ${stopMs} ms, longest wait of a producer: ${waitMs} ms`)
  assert(tookMs < 4_000, `nobody is kept waiting: ${tookMs} ms`)
  await producer.end()
  await until(() => consumer.counts.size === producer.sent, `all of ${producer.sent} are read`)
  await consumer.end()
})
