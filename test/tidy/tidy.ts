/** Checks what neither the compiler nor the linter does; prints file:line and exits 1. Rules are in rules.ts. */
import { fileURLToPath } from 'node:url'
import { findings } from './findings.ts'
import { readSourceFiles } from './source-files.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const files = readSourceFiles(root)
const found = findings(files)
for (const { path, line, what } of found) process.stdout.write(`${path}:${line}: ${what}\n`)
process.stdout.write(found.length === 0 ? 'tidy: nothing to say\n' : `tidy: ${found.length} findings\n`)
process.exitCode = found.length === 0 ? 0 : 1
