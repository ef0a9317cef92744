/**
 * `npm run bench`: loads a real server over real sockets and prints what it did, beside goals and bare ceilings of the
 * same run. `npm run bench -- produce latency` selects, `--full` takes the long forms (half an hour),
 * `--json` prints JSON instead of the table; it also goes to `bench-results/`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { chunkCountScenario } from './scenario/chunk-count.ts'
import { commitRateScenario } from './scenario/commit-rate.ts'
import { crossZoneScenario } from './scenario/cross-zone.ts'
import { fanOutScenario } from './scenario/fan-out.ts'
import { journalRedisScenario } from './scenario/journal-redis.ts'
import { latencyScenario } from './scenario/latency.ts'
import { memoryScenario } from './scenario/memory.ts'
import { objectStoreScenario } from './scenario/object-store.ts'
import { memoryReadersScenario } from './scenario/memory-readers.ts'
import { produceScenario } from './scenario/produce.ts'
import { rpcScenario } from './scenario/rpc.ts'
import type { Figure, Scenario } from './scenario/scenario.ts'
import { startScenario } from './scenario/start.ts'
import { zonesScenario } from './scenario/zones.ts'

const SCENARIOS: readonly Scenario[] = [
  produceScenario, fanOutScenario, commitRateScenario, chunkCountScenario, memoryScenario, memoryReadersScenario, latencyScenario,
  startScenario, crossZoneScenario, journalRedisScenario, rpcScenario, objectStoreScenario, zonesScenario
]
const results = fileURLToPath(new URL('../../bench-results/', import.meta.url))

const full = process.argv.includes('--full')
const table = process.argv.includes('--json') ? process.stderr : process.stdout
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const chosen = SCENARIOS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
if (chosen.length === 0) {
  process.stderr.write(`no such scenario; there are ${SCENARIOS.map(({ name }) => name).join(', ')}\n`)
  process.exit(1)
}

const all: { scenario: string; doc: string; figures: readonly Figure[] }[] = []
for (const { name, doc, run } of chosen) {
  table.write(`\n${name}: ${doc}\n`)
  const figures = await run({ full })
  for (const { what, measured, goal, met, load } of figures) {
    const verdict = met === null ? '' : met ? 'met' : 'MISSED'
    table.write(`  ${what.padEnd(48)} ${measured.padStart(14)}  ${goal.padEnd(12)} ${verdict.padEnd(6)} load ${load}\n`)
  }
  all.push({ scenario: name, doc, figures })
}
const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? '', node: process.version, platform: process.platform }
const at = new Date().toISOString()
const json = `${JSON.stringify({ at, full, machine, scenarios: all }, null, 2)}\n`
mkdirSync(results, { recursive: true })
writeFileSync(`${results}${at.replaceAll(':', '-')}.json`, json)
if (table === process.stderr) await new Promise((resolve) => { process.stdout.write(json, resolve) })
process.exit(0)
