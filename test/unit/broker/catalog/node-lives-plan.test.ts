import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planLives } from '#broker/catalog/node-lives-plan.ts'

const lives = new Map([
  [1, { nodeId: 1, nodeEpoch: 4, closedEpoch: 3 }],
  [2, { nodeId: 2, nodeEpoch: 9, closedEpoch: 7 }]
])

test('node-lives: new lives are taken down, those before them are closed', () => {
  const alive = [{ nodeId: 1, nodeEpoch: 6 }, { nodeId: 2, nodeEpoch: 9 }, { nodeId: 3, nodeEpoch: 1 }]
  assert.deepEqual(planLives(lives, alive, () => false), {
    seen: [{ nodeId: 1, nodeEpoch: 6, closedEpoch: 3 }, { nodeId: 3, nodeEpoch: 1, closedEpoch: 0 }],
    close: [{ nodeId: 1, nodeEpoch: 5 }, { nodeId: 2, nodeEpoch: 8 }]
  })
})

test('node-lives: a node that is away keeps its newest life until it is gone', () => {
  assert.deepEqual(planLives(lives, [], () => false), { seen: [], close: [{ nodeId: 2, nodeEpoch: 8 }] })
  assert.deepEqual(planLives(lives, [], (nodeId) => nodeId === 2), { seen: [], close: [{ nodeId: 2, nodeEpoch: 9 }] })
})

test('node-lives: a registry that forgot a newer life closes nothing that lives', () => {
  const older = [{ nodeId: 1, nodeEpoch: 3 }, { nodeId: 2, nodeEpoch: 8 }]
  assert.deepEqual(planLives(lives, older, () => true), { seen: [], close: [{ nodeId: 2, nodeEpoch: 8 }] })
})
