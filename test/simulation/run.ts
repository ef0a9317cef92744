/**
 * `npm run sim -- --seed 7 --minutes 0.5`: one simulation; the last line is its trace. `--verbose` prints every event.
 * Exits with 1 if something happened that may never happen.
 */
import { parseArgs } from 'node:util'
import { runSimulation } from './simulation.ts'

const VIOLATIONS_SHOWN = 20

const { values } = parseArgs({ options: {
  seed: { type: 'string', default: '1' }, minutes: { type: 'string', default: '1' }, verbose: { type: 'boolean', default: false }
} })
const [seed, minutes] = [Number(values.seed), Number(values.minutes)]
if (!Number.isSafeInteger(seed) || !Number.isFinite(minutes) || minutes <= 0) {
  process.stderr.write('usage: npm run sim -- [--seed WHOLE_NUMBER] [--minutes NUMBER] [--verbose]\n')
  process.exit(2)
}

const startedMs = performance.now()
const print = (line: string): void => { process.stdout.write(`${line}\n`) }
const { violations, trace, virtualMs, counts } = await runSimulation({ seed, minutes, ...(values.verbose ? { echo: print } : {}) })
const seconds = (performance.now() - startedMs) / 1_000
print(`seed ${seed}: ${(virtualMs / 60_000).toFixed(2)} virtual minutes in ${seconds.toFixed(1)} s, ${counts.events} events, ${counts.faults} faults`)
print(`records: ${counts.sent} sent, ${counts.acked} acked, ${counts.read} read`)
for (const { rule, what } of violations.slice(0, VIOLATIONS_SHOWN)) print(`VIOLATION ${rule}: ${what}`)
if (violations.length > VIOLATIONS_SHOWN) print(`and ${violations.length - VIOLATIONS_SHOWN} more`)
print(violations.length === 0 ? 'no violation' : `${violations.length} violations: run again with --seed ${seed} --minutes ${minutes} --verbose`)
print(`trace ${trace}`)
process.exitCode = violations.length === 0 ? 0 : 1
