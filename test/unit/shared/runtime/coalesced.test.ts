import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Coalesced } from '#shared/runtime/coalesced.ts'

test('coalesced: one run at a time, also for who calls again as soon as a run has ended', async () => {
  const ends: (() => void)[] = []
  let [running, most] = [0, 0]
  const work = new Coalesced(async () => {
    most = Math.max(most, ++running)
    await new Promise<void>((resolve) => { ends.push(resolve) })
    running -= 1
    return ends.length
  })
  const first = work.run()
  const again = first.then(() => work.run()) // heard before whoever shares the next run is served
  const shared = [work.run(), work.run()]
  for (let turn = 0; turn < 4; turn++) {
    for (const end of ends) end()
    await new Promise((resolve) => { setImmediate(resolve) })
  }
  assert.deepEqual(await Promise.all([first, again, ...shared]), [1, 2, 2, 2])
  assert.equal(most, 1)
})

test('coalesced: a run that fails fails those that share it, and no others', async () => {
  let fails = true
  const work = new Coalesced(() => (fails ? Promise.reject(new Error('no')) : Promise.resolve('yes')))
  const first = work.run()
  const next = work.run()
  fails = false
  await assert.rejects(first, /no/)
  assert.equal(await next, 'yes')
  await work.ended()
})
