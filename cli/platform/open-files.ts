/** The limit of open files: every connection, every file of the journal and every object that is read takes one. */
import { readFileSync } from 'node:fs'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

const OPEN_FILES_MIN = 1_024
const RESERVED = 384 // for http, the journal's files, what is being written, and Node itself
const CONNECTIONS_MIN = 16

/**
 * The limit, or null where there is none: Node has raised the soft limit to the hard one by now.
 * @throws ZonewiseError TOO_FEW_FILES
 */
export function requireOpenFiles(limitsText = readLimits()): number | null {
  const found = /^Max open files\s+(\d+|unlimited)/m.exec(limitsText ?? '')
  if (found === null || found[1] === 'unlimited') return null // no Linux, or no limit
  const limit = Number(found[1])
  if (limit >= OPEN_FILES_MIN) return limit
  throw new ZonewiseError('TOO_FEW_FILES', 'the limit of open files is too low', { limit, needed: OPEN_FILES_MIN })
}

export type OpenFilesWanted = {
  readonly connectionsMax: number // of each gateway
  readonly gateways: number
  readonly storeFilesOpenMax: number
}

/** Connections of each gateway that leave store and journal the files they need: clients must not take the last one. */
export function connectionsWithin(limit: number | null, wanted: OpenFilesWanted): number {
  const { connectionsMax, gateways, storeFilesOpenMax } = wanted
  if (limit === null) return connectionsMax
  const room = Math.floor((limit - RESERVED - storeFilesOpenMax) / gateways)
  return Math.min(connectionsMax, Math.max(CONNECTIONS_MIN, room))
}

function readLimits(): string | null {
  try {
    return readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return null
  }
}
