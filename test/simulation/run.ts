/**
 * `npm run sim -- --seed 7 --minutes 0.5`: one simulation; the last line is its trace. `--verbose` prints every event.
 * `--seeds 100-400` runs many and prints a line each; `--plant ack-before-durable` runs with one of the bugs that the
 * checker must find. The seed draws the ground, too, unless `--ground` names it: what is printed says which it was.
 * Exits with 1 if something happened that may never happen.
 */
import { parseArgs } from 'node:util'
import { MUTATIONS } from './mutation/mutations.ts'
import { runSimulation, type SimulationResult } from './simulation.ts'
import { FAULTS, placed, type Layout } from './world/settings.ts'

const VIOLATIONS_SHOWN = 20
const USAGE = 'usage: npm run sim -- [--seed WHOLE_NUMBER | --seeds FIRST-LAST] [--minutes NUMBER] ' +
  '[--ground remote|local|cluster]\n  [--carrier in-process|network] [--verbose] [--plant BUG]\n' +
  'the seed draws the ground unless it is named: cluster (nodes with leases in a Redis that fails over, zones that ' +
  'part), remote\n(nodes that are told who lives, over a store and a journal elsewhere), local (one process on ' +
  'files); and for a cluster what\ncarries the calls of nodes: the carrier of one process, or streams over sockets'

const { values } = parseArgs({ options: {
  seed: { type: 'string', default: '1' }, seeds: { type: 'string' }, minutes: { type: 'string', default: '1' },
  ground: { type: 'string' }, carrier: { type: 'string' }, plant: { type: 'string' },
  verbose: { type: 'boolean', default: false }
} })
const print = (line: string): void => { process.stdout.write(`${line}\n`) }
const [first, last] = (values.seeds ?? `${values.seed}-${values.seed}`).split('-').map(Number)
const minutes = Number(values.minutes)
const mutation = values.plant === undefined ? null : MUTATIONS[values.plant]
const isRange = Number.isSafeInteger(first) && Number.isSafeInteger(last) && Number.isFinite(minutes) && minutes > 0
const { carrier } = values
const { ground = carrier === undefined ? undefined : 'cluster' } = values
const isPlace = (ground === undefined || isGround(ground)) && (carrier === undefined || isCarrier(carrier, ground))
if (mutation === undefined || !isRange || !isPlace) {
  process.stderr.write(`${USAGE}\nbugs: ${Object.keys(MUTATIONS).join(', ')}\n`)
  process.exit(2)
}

const { seams = {}, shape = onPlace } = mutation ?? {}
mutation?.plant?.()
let failedCount = 0
let trace = ''
for (let seed = first!; seed <= last!; seed++) {
  const startedMs = performance.now()
  const result = await runSimulation({ seed, minutes, seams, shape, ...(values.verbose ? { echo: print } : {}) })
  report(seed, (performance.now() - startedMs) / 1_000, result)
  if (result.violations.length > 0) failedCount += 1
  trace = result.trace
}
if (values.seeds !== undefined) print(`${failedCount} of ${last! - first! + 1} seeds with violations`)
else print(`trace ${trace}`)
process.exitCode = failedCount === 0 ? 0 : 1

function isGround(name: string): name is Layout['ground'] {
  return name in FAULTS
}

function isCarrier(name: string, ground: string | undefined): name is Layout['carrier'] {
  return name === 'in-process' || (name === 'network' && ground === 'cluster')
}

/** Where it was asked to run, or where the seed draws. */
function onPlace(drawn: Layout): Layout {
  if (ground === undefined || !isGround(ground)) return drawn
  const kept = ground === 'cluster' ? drawn.carrier : 'in-process'
  return placed(drawn, { ground, carrier: carrier !== undefined && isCarrier(carrier, ground) ? carrier : kept })
}

function report(seed: number, seconds: number, result: SimulationResult): void {
  const { layout: { ground, carrier: used }, counts: { events, faults, sent, acked, read, consumed } } = result
  const { violations, virtualMs } = result
  const minutesRun = (virtualMs / 60_000).toFixed(2)
  const over = used === 'network' ? ' over sockets' : ''
  print(`seed ${seed} on ${ground} ground${over}: ${minutesRun} virtual minutes in ${seconds.toFixed(1)} s, ` +
    `${events} events, ${faults} faults; ` +
    `records: ${sent} sent, ${acked} acked, ${read} read, ${consumed} consumed by groups`)
  for (const { rule, what, atMs } of violations.slice(0, VIOLATIONS_SHOWN))
    print(`VIOLATION of "${rule}" with seed ${seed} at ${(atMs / 1_000).toFixed(3)} s: ${what}`)
  if (violations.length > VIOLATIONS_SHOWN) print(`and ${violations.length - VIOLATIONS_SHOWN} more`)
  const asked = (['ground', 'carrier'] as const)
    .map((name) => (values[name] === undefined ? '' : `--${name} ${values[name]} `)).join('')
  if (violations.length > 0) print(`replay: npm run sim -- --seed ${seed} --minutes ${minutes} ${asked}--verbose`)
}
