import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listening, planCluster, PORT_COUNT } from '#infra/local/cluster-plan.ts'

const hosts = { zones: ['h1', 'h2', 'h3'], redis: 'r', s3: 's' }

test('cluster-plan: the usual ports are those of the documentation', () => {
  const { nodes } = planCluster(hosts, null)
  assert.deepEqual(nodes, [
    { nodeId: 1, zone: 'local-az1', host: 'h1', clientPort: 19_092, httpPort: 8_080 },
    { nodeId: 2, zone: 'local-az2', host: 'h2', clientPort: 29_092, httpPort: 8_081 },
    { nodeId: 3, zone: 'local-az3', host: 'h3', clientPort: 39_092, httpPort: 8_082 }
  ])
})

test('cluster-plan: ports in a row are each taken once, and every one of them is for something', () => {
  const ports = listening(planCluster(hosts, 30_000)).map(({ port }) => port).sort()
  assert.deepEqual(ports, Array.from({ length: PORT_COUNT }, (_, i) => 30_000 + i))
  assert.equal(new Set(listening(planCluster(hosts, null)).map(({ port }) => port)).size, PORT_COUNT)
})
