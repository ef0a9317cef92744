import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSimulation } from './simulation.ts'

const MINUTES = 0.02

test('simulation: the same seed gives the same run, another seed another', async () => {
  const lines: string[][] = [[], []]
  const first = await runSimulation({ seed: 5, minutes: MINUTES, echo: (line) => { lines[0]!.push(line) } })
  const again = await runSimulation({ seed: 5, minutes: MINUTES, echo: (line) => { lines[1]!.push(line) } })
  const { ground, carrier } = first.layout
  assert.deepEqual([ground, carrier], ['cluster', 'network']) // other runs have less that could differ
  const other = await runSimulation({ seed: 6, minutes: MINUTES })
  const at = lines[0]!.findIndex((line, i) => line !== lines[1]![i])
  assert.equal(at, -1, `line ${at}: "${lines[0]![at]}" became "${lines[1]![at]}"`)
  assert.equal(again.trace, first.trace)
  assert.match(first.trace, /^[0-9a-f]{64}$/)
  assert.notEqual(other.trace, first.trace)
})
