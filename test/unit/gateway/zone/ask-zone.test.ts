import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askZone } from '#gateway/zone/ask-zone.ts'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

/** Brokers 1, 2, ... of a zone, and what each throws, or null: it answers with its number. */
async function ask(brokers: readonly (ErrorCode | null)[]): Promise<{ asked: number[]; outcome: number | string }> {
  const asked: number[] = []
  const pick = (unreachable: ReadonlySet<number>): number | null =>
    brokers.keys().map((i) => i + 1).find((node) => !unreachable.has(node)) ?? null
  const outcome = await askZone(pick, async (node) => {
    asked.push(node)
    const code = brokers[node - 1]!
    if (code !== null) throw new ZonewiseError(code, 'no')
    return node
  }).catch((error: unknown) => {
    assert(error instanceof ZonewiseError)
    return error.code
  })
  return { asked, outcome }
}

test('ask-zone: asks the next where one is not there, and not where one says no', async () => {
  assert.deepEqual(await ask([null, null]), { asked: [1], outcome: 1 })
  assert.deepEqual(await ask(['RPC_UNAVAILABLE', 'STOPPING', null]), { asked: [1, 2, 3], outcome: 3 })
  assert.deepEqual(await ask(['VIEW_STALE', null]), { asked: [1], outcome: 'VIEW_STALE' })
  assert.deepEqual(await ask(['RPC_TIMED_OUT', null]), { asked: [1], outcome: 'RPC_TIMED_OUT' })
})

test('ask-zone: asks so many at most, and says what the last one said', async () => {
  assert.deepEqual(await ask([]), { asked: [], outcome: 'RPC_UNAVAILABLE' })
  assert.deepEqual(await ask(['RPC_UNAVAILABLE', 'STOPPING']), { asked: [1, 2], outcome: 'STOPPING' })
  const dead = Array<ErrorCode>(5).fill('RPC_UNAVAILABLE')
  assert.deepEqual(await ask(dead), { asked: [1, 2, 3], outcome: 'RPC_UNAVAILABLE' })
})
