/** The limit of open files: every connection and every segment takes one. */
import { readFileSync } from 'node:fs'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

const OPEN_FILES_MIN = 1_024

/** Node has raised the soft limit to the hard one by now. @throws ZonewiseError TOO_FEW_FILES */
export function requireOpenFiles(limitsText = readLimits()): void {
  const found = /^Max open files\s+(\d+|unlimited)/m.exec(limitsText ?? '')
  if (found === null || found[1] === 'unlimited') return // no Linux, or no limit
  const limit = Number(found[1])
  if (limit >= OPEN_FILES_MIN) return
  throw new ZonewiseError('TOO_FEW_FILES', 'the limit of open files is too low', { limit, needed: OPEN_FILES_MIN })
}

function readLimits(): string | null {
  try {
    return readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return null
  }
}
