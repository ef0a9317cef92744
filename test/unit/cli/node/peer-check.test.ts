/** Goal: a node hears from those that live whether they would take it. Method: a registry in memory, no sockets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askPeers, type PeerAnswer, requirePeers } from '#cli/node/peer-check.ts'
import { type Announcement, encodeAnnouncement } from '#shared/cluster/announcement.ts'
import { MemoryRegistry, MemoryRegistryMedium } from '#shared/cluster/memory-registry.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { transportSettings } from '#shared/transport/config.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'
import { nodeOf } from '#test/support/snapshots.ts'

const RENEW = { knownVersion: -1, ttlMs: 3_000, vitals: { clockMs: 0, load: 0 } }

async function partsWith(...others: readonly Partial<Announcement>[]) {
  const runtime = new ManualRuntime()
  const medium = new MemoryRegistryMedium(runtime.clock)
  const registry = new MemoryRegistry(medium, runtime.timer)
  for (const [i, other] of others.entries()) {
    const info = { ...nodeOf(i + 1, 'az1'), rpc: { host: 'h', port: 1 } }
    const announcement = { info, clusterId: 'c', software: '2.0.0', formats: { min: 1, max: 1 }, led: [], ...other }
    await Promise.all([registry.renew(encodeAnnouncement(announcement), RENEW), runtime.settle()])
  }
  const dialled: string[] = []
  const parts = {
    registry, own: { nodeId: 9, nodeEpoch: 1, zone: 'az1' }, clusterId: 'c', formats: { min: 1, max: 1 }, runtime,
    settings: transportSettings.defaults(),
    dial: ({ host, port }: { readonly host: string; readonly port: number }) => {
      dialled.push(`${host}:${port}`)
      return Promise.reject(new ZonewiseError('RPC_UNAVAILABLE', 'nobody there'))
    }
  }
  const ask = async (): Promise<readonly PeerAnswer[]> => (await Promise.all([askPeers(parts), runtime.settle()]))[0]
  return { parts, ask, dialled, runtime }
}

test('peer-check: one that cannot be reached refuses nobody', async () => {
  const { ask, dialled } = await partsWith({})
  assert.deepEqual((await ask()).map(({ refusal, isReached }) => [refusal, isReached]), [[null, false]])
  assert.deepEqual(dialled, ['h:1'])
})

test('peer-check: a node of another cluster, or of versions without a format in common, is refused unasked', async () => {
  const { parts, ask, dialled, runtime } = await partsWith({ formats: { min: 2, max: 3 } }, { clusterId: 'other' })
  const [newer, other] = await ask()
  assert.match(newer!.refusal!, /\(version 2\.0\.0\) writes formats 2 to 3, this node reads 1 to 1/)
  assert.match(other!.refusal!, /is of cluster other, this node of c/)
  assert.deepEqual(dialled, [])
  await assert.rejects(Promise.all([requirePeers(parts), runtime.settle()]), { code: 'NODE_REFUSED' })
})

test('peer-check: this node itself is not asked, under whatever id it asks', async () => {
  const { parts, dialled, runtime } = await partsWith({})
  const [answers] = await Promise.all([askPeers({ ...parts, ignored: 1 }), runtime.settle()])
  assert.deepEqual([answers, dialled], [[], []])
})
