/**
 * `npm run drill -- --kills 100 --seed 7`: kills a server under load again and again and judges what is left. Moments
 * follow from the seed, what happens in them does not. `npm run drill -- kill-zone rolling`, or `all`: what happens to
 * a cluster in network namespaces. Exits with 1 if something happened that may never happen.
 */
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { DRILLS } from './cluster/drills.ts'
import { runDrills, unknownNames } from './cluster/run-drills.ts'
import { runKillDrill } from './kill-drill.ts'

const VIOLATIONS_SHOWN = 20

const USAGE = `usage: npm run drill -- [--kills WHOLE_NUMBER] [--seed WHOLE_NUMBER] [--folder KEPT_FOLDER] [--verbose]
       npm run drill -- NAME...|short|all [--partitions WHOLE_NUMBER] [--seed WHOLE_NUMBER] [--folder KEPT_FOLDER]
                        [--json FILE] [--log-level LEVEL_OF_NODES] [--older CHECKOUT]
names: ${Object.keys(DRILLS).join(', ')}
`
const { values, positionals: names } = parseArgs({ allowPositionals: true, options: {
  kills: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' }, folder: { type: 'string' },
  verbose: { type: 'boolean', default: false }, partitions: { type: 'string', default: '1000' },
  json: { type: 'string' }, older: { type: 'string' }, 'log-level': { type: 'string', default: 'info' }
} })
const [kills, seed, partitions] = [Number(values.kills), Number(values.seed), Number(values.partitions)]
const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0
if (!isCount(kills) || !isCount(partitions) || !Number.isSafeInteger(seed) || unknownNames(names).length > 0) {
  process.stderr.write(USAGE)
  process.exit(2)
}

const print = (line: string): void => { process.stdout.write(`${line}\n`) }
if (names.length > 0) {
  const { folder: kept, json, older } = values
  const logLevel = values['log-level']
  const passed = await runDrills({ names, seed, partitions, folder: kept, json, logLevel, older, print })
  process.exit(passed === false ? 1 : 0)
}
const startedMs = performance.now()
const folder = values.folder ?? temporaryFolder()
const report = await runKillDrill({ folder, kills, seed, ...(values.verbose ? { echo: print } : {}) })
const { readyMs, counts, violations } = report
const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
const moments = Object.entries(report.kills).map(([moment, count]) => `${count} ${moment}`).join(', ')
print(`seed ${seed}: ${kills} kills in ${seconds} s: ${moments}`)
const [medianMs, worstMs] = [readyMs[readyMs.length >> 1]!, readyMs.at(-1)!].map(Math.round)
const load = loadavg()[0]!.toFixed(1)
print(`ready ${readyMs.length} times: median ${medianMs} ms, worst ${worstMs} ms; load ${load}`)
print(`records: ${counts.sent} sent, ${counts.acked} acked, ${counts.read} read, ${counts.stored} stored`)
for (const [message, count] of report.warnings) print(`warned ${count} times: ${message}`)
for (const { rule, what } of violations.slice(0, VIOLATIONS_SHOWN)) print(`VIOLATION ${rule}: ${what}`)
if (violations.length > VIOLATIONS_SHOWN) print(`and ${violations.length - VIOLATIONS_SHOWN} more`)
print(violations.length === 0 ? 'no violation' : `${violations.length} violations`)
process.exit(violations.length === 0 ? 0 : 1)
