/** Folders for tests, removed when the process ends. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const made: string[] = []

export function temporaryFolder(): string {
  if (made.length === 0) {
    process.once('exit', () => made.forEach((path) => rmSync(path, { recursive: true, force: true })))
  }
  const path = mkdtempSync(join(tmpdir(), 'zonewise-'))
  made.push(path)
  return path
}
