/**
 * Goal: clients of a zone whose gateways died are served by another zone, which is counted as failover, and go home
 * when their zone has a gateway again; clients of the other zone notice nothing.
 * Method: a gateway in each of two zones, one of them killed; clients that know both addresses and say their zone.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { defaultsOf } from '#shared/binary/message.ts'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import { API } from '#shared/wire/api-registry.ts'
import { decodeResponseFrame } from '#shared/wire/framing.ts'
import { WireClient } from '#test/support/wire-client.ts'
import { ledgerOf, NodeCluster, until } from '../tool/node-cluster.ts'
import { KafkajsProducer } from './kafkajs-load.ts'

const VERSION = 12
const FROM_AZ2 = 'app,zone=az2'

let cluster: NodeCluster
before(async () => { cluster = await NodeCluster.start(['az1', 'az2']) })
after(() => cluster.end())

/** Racks of the brokers that Metadata names. */
async function racksTold(client: WireClient, clientId: string | null): Promise<(string | null)[]> {
  client.send(client.frame(API.metadata, VERSION, { ...defaultsOf(API.metadata.request), topics: [] }, clientId))
  const frame = await client.next()
  assert(frame !== null, 'the connection stays')
  return decodeResponseFrame(API.metadata, VERSION, frame).body.brokers.map(({ rack }) => rack)
}

async function bytesOf(chosen: (row: LedgerRow) => boolean): Promise<number> {
  const { rows } = await ledgerOf(cluster.nodes[0]!)
  return rows.filter(chosen).reduce((sum, { bytes }) => sum + bytes, 0)
}

test('failover: another zone serves who lost its own, counted, until its own is back', async () => {
  const [first, second] = cluster.nodes
  const client = await WireClient.connect(Number(first!.kafka.split(':')[1]))
  assert.deepEqual(await racksTold(client, FROM_AZ2), ['az1'], 'what is observed stands while the other zone lives')
  const producer = new KafkajsProducer(`${second!.kafka},${first!.kafka}`, 'crossing', FROM_AZ2)
  const isProduced = (to: string) => ({ from, to: where, cause }: LedgerRow): boolean =>
    from === 'az2' && where === to && (cause === 'produce' || cause === 'failover')
  await until(async () => await bytesOf(isProduced('az2')) > 0, 'it produces at home')
  assert.equal(await bytesOf(({ cause }) => cause === 'failover'), 0)

  await second!.kill()
  await until(async () => await bytesOf(isProduced('az1')) > 10_000, 'it produces in the other zone')
  assert.deepEqual(await racksTold(client, FROM_AZ2), ['az1'])
  const { rows } = await ledgerOf(first!)
  assert(rows.some(({ from, to, cause, payload, crosses }) =>
    from === 'az1' && to === 'az2' && cause === 'failover' && payload && crosses))
  const uncounted = rows.filter(({ from, to, cause }) => from === 'az2' && to === 'az1' && cause === 'produce')
  assert.deepEqual(uncounted, [], 'all of it is failover')

  await second!.start()
  await until(async () => (await racksTold(client, FROM_AZ2))[0] === 'az2', 'it is told its own zone')
  assert.deepEqual(await racksTold(client, null), ['az2'], 'whoever was away stays known on its connection')
  const other = await WireClient.connect(Number(first!.kafka.split(':')[1]))
  assert.deepEqual(await racksTold(other, null), ['az1'])
  other.close()
  const before = await bytesOf(isProduced('az2'))
  await until(async () => await bytesOf(isProduced('az2')) > before + 10_000, 'it goes home')
  await producer.end()
  client.close()
})
