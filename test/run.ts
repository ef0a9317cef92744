/**
 * `npm test`: unit, property, golden and conformance tests, then simulations with fixed seeds, then the integration
 * smoke. Arguments select files by a part of their path: `npm test -- shared/wire`, `npm test -- simulation`. The
 * search for planted bugs takes some minutes of its own: `npm test -- .bugs.ts`.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

type Stage = {
  readonly name: string; readonly pattern: string; readonly timeoutMs: number; readonly concurrency: number
  readonly onlyIfAsked?: boolean
}

const STAGES: readonly Stage[] = [
  {
    name: 'unit, property, golden, conformance', pattern: 'test/{unit,property,golden,conformance}/**/*.test.ts',
    timeoutMs: 120_000, concurrency: 2
  },
  { name: 'simulation', pattern: 'test/simulation/**/*.sim.ts', timeoutMs: 120_000, concurrency: 2 },
  {
    name: 'planted bugs', pattern: 'test/simulation/*.bugs.ts', timeoutMs: 300_000, concurrency: 2, onlyIfAsked: true
  },
  { name: 'integration', pattern: 'test/integration/**/*.int.test.ts', timeoutMs: 120_000, concurrency: 2 }
]

const wanted = process.argv.slice(2)
let failed = 0
let count = 0
for (const stage of STAGES) {
  if (stage.onlyIfAsked === true && wanted.length === 0) continue
  const files = globSync(stage.pattern, { cwd: root }).map((file) => file.replaceAll('\\', '/'))
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part.replace(/^\.\//, '')))).sort()
  if (files.length === 0) continue
  count += files.length
  const startedMs = performance.now()
  process.stdout.write(`\n== ${stage.name}: ${files.length} files\n`)
  const code = await runFiles(files, stage)
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
  process.stdout.write(`== ${stage.name}: ${code === 0 ? 'ok' : 'FAILED'} after ${seconds} s\n`)
  if (code !== 0) failed += 1
}
if (count === 0) process.stderr.write(`no test matches ${wanted.join(', ')}\n`)
process.exitCode = failed === 0 && count > 0 ? 0 : 1

function runFiles(files: readonly string[], { timeoutMs, concurrency }: Stage): Promise<number> {
  const reporter = process.env['TEST_REPORTER'] ?? 'dot'
  const flags =
    ['--test', `--test-timeout=${timeoutMs}`, `--test-concurrency=${concurrency}`, `--test-reporter=${reporter}`]
  const child = spawn(process.execPath, [...flags, ...files], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((resolve) => {
    child.on('error', () => { resolve(1) })
    child.on('exit', (code) => { resolve(code ?? 1) })
  })
}
