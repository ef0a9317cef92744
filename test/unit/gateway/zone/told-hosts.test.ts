/**
 * Goal: nothing that a client is told names another zone, unless its own has no live gateway (DESIGN 7).
 * Method: every served answer whose schema holds a host name is asked for, in every version, by clients of all kinds,
 * while nodes come, drain and go; the bytes of the answers are searched for the hosts of other zones.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Handler, RequestContext } from '#gateway/api/handler.ts'
import { SERVED } from '#gateway/api/served.ts'
import { type Standing, standingOf, withClaim, observedThroughListener } from '#gateway/zone/client-zone.ts'
import { defaultsOf, encodeMessage, type Fields } from '#shared/binary/message.ts'
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import { Writer } from '#shared/binary/writer.ts'
import type { NodeInfo } from '#shared/cluster/membership.ts'
import type { AnyApi } from '#shared/wire/api-registry.ts'
import { contextOf, gatewayTwin, listenerOf, nodeOf, snapshotOf, topic, type Twin } from '#test/support/gateway-twin.ts'

const GROUPS = Array.from({ length: 20 }, (_, i) => `group-${i}`)

/** What each of the answers with hosts is asked, beside its defaults. */
const ASKED: Readonly<Record<string, readonly object[]>> = {
  Metadata: [{ topics: null }, { topics: [{ name: 'orders', topicId: UUID_ZERO }] }],
  FindCoordinator: GROUPS.map((key) => ({ key, coordinatorKeys: GROUPS })),
  DescribeCluster: [{ endpointType: 1 }]
}

function holdsHost(fields: Fields): boolean {
  return Object.entries(fields).some(([name, { type }]) =>
    name === 'host' || holdsHost(type.fields ?? type.element?.fields ?? {}))
}

const TELLING: readonly AnyApi[] = SERVED.byKey.filter((row) => row !== undefined).map(({ api }) => api)
  .filter(({ response }) => holdsHost(response.fields))

/** Hosts in all answers to one client, by zone. */
async function zonesTold(twin: Twin, context: RequestContext): Promise<string[]> {
  let text = ''
  for (const api of TELLING) {
    for (let version = api.versionMin; version <= api.versionMax; version++) {
      for (const given of ASKED[api.name]!) {
        const request = { ...(defaultsOf(api.request) as object), ...given }
        const handler = SERVED.byKey[api.apiKey]!.handler as Handler<unknown, unknown>
        const response = await handler(context, version, request, twin.services)
        const writer = new Writer()
        encodeMessage(api.response, version, response, writer)
        text += Buffer.concat(writer.finish()).toString('latin1')
      }
    }
  }
  return [...new Set([...text.matchAll(/\.(az\d)\.test/g)].map(([, zone]) => zone!))].sort()
}

function gateway(nodeId: number, zone: string, given: Partial<NodeInfo> = {}): NodeInfo {
  const listeners = [listenerOf(nodeId, zone, { advertisedHost: `n${nodeId}.${zone}.test` })]
  return nodeOf(nodeId, zone, { listeners, ...given })
}

const ALL = [gateway(1, 'az1'), gateway(2, 'az1'), gateway(3, 'az2'), gateway(4, 'az3'), gateway(5, 'az3')]

/** Node 1 of az1, in a cluster that became what `steps` say, one after the other. */
function became(...steps: readonly (readonly NodeInfo[])[]): Twin {
  const twin = gatewayTwin()
  twin.catalog.add(topic('orders', { partitionCount: 12 }))
  steps.forEach((nodes, i) => { twin.membership.set(snapshotOf(nodes, i + 2)) })
  return twin
}

/** A client with that `client.id` at a listener of az1. */
function clientOf(twin: Twin, claimed: string | null, before: Standing | null = null): RequestContext {
  const zoneEvidence = withClaim(observedThroughListener('az1'), 'client.id', claimed)
  const { zone } = standingOf(zoneEvidence, twin.services.clientZones, before)
  return contextOf({ zoneEvidence, zone })
}

test('told-hosts: these answers hold host names', () => {
  assert.deepEqual(TELLING.map(({ name }) => name).sort(), Object.keys(ASKED).sort())
})

test('told-hosts: a client is told its own zone, whatever it claims and whoever drains', async () => {
  const drains = (...ids: readonly number[]): NodeInfo[] =>
    ALL.map((node) => (ids.includes(node.nodeId) ? { ...node, draining: true } : node))
  for (const nodes of [ALL, drains(1), drains(1, 2), drains(1, 3, 4), ALL.filter(({ nodeId }) => nodeId !== 2)]) {
    const twin = became(nodes)
    for (const claimed of [null, 'az1', 'az3', 'made-up']) {
      assert.deepEqual(await zonesTold(twin, clientOf(twin, claimed)), ['az1'], String(claimed))
    }
  }
})

test('told-hosts: a client whose zone has no live gateway is told one other zone, then its own again', async () => {
  const without = ALL.filter(({ zone }) => zone !== 'az2')
  const twin = became(ALL, without)
  const away = clientOf(twin, 'az2')
  const told = await zonesTold(twin, away)
  assert.equal(told.length, 1)
  assert.notEqual(told[0], 'az2')
  assert.deepEqual(await zonesTold(twin, clientOf(twin, null)), ['az1'])
  const before: Standing = { zone: 'az2', place: 'az2', isAway: true }
  twin.membership.set(snapshotOf(ALL, 9))
  assert.deepEqual(await zonesTold(twin, clientOf(twin, 'az2', before)), ['az2'])
})

test('told-hosts: a node that drains stays listed while it listens, and is named for nothing', async () => {
  const twin = became([gateway(1, 'az1', { draining: true }), gateway(2, 'az1')])
  const { handler, api } = SERVED.byKey[3]!
  const request = { ...(defaultsOf(api.request) as object), topics: null }
  const answer = await handler(contextOf(), 12, request, twin.services) as {
    readonly brokers: readonly { readonly nodeId: number }[]; readonly controllerId: number
    readonly topics: readonly { readonly partitions: readonly { readonly leaderId: number }[] }[]
  }
  assert.deepEqual(answer.brokers.map(({ nodeId }) => nodeId), [1, 2])
  assert.equal(answer.controllerId, 2)
  assert.deepEqual([...new Set(answer.topics[0]!.partitions.map(({ leaderId }) => leaderId))], [2])
})
