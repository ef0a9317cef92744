/** `zonewise ledger`: which bytes went from which zone to which, and what crossed. */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import { type Arguments, splitHostPort } from './arguments.ts'
import { EXIT, type Terminal } from './command.ts'
import { bytesText, textTable } from './text-table.ts'

const HTTP_DEFAULT = '127.0.0.1:8080'
const TIMEOUT_MS = 10_000
const NO_ZONES = ['unknown', 'store', 'journal'] // listed after the zones

export async function ledger(args: Arguments, terminal: Terminal): Promise<number> {
  const address = args.flags.get('http') ?? terminal.env['ZONEWISE_HTTP'] ?? HTTP_DEFAULT
  if (splitHostPort(address) === null) {
    throw new ZonewiseError('ARGUMENT_INVALID', 'the http address is not HOST:PORT', { http: `"${address}"` })
  }
  const rows = await fetchRows(address)
  terminal.stdout.write(args.flags.has('json') ? `${JSON.stringify({ rows }, null, 2)}\n` : ledgerText(rows))
  return EXIT.ok
}

async function fetchRows(address: string): Promise<readonly LedgerRow[]> {
  try {
    const response = await fetch(`http://${address}/api/ledger`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    if (!response.ok) throw new Error(`status ${response.status}`)
    const { rows } = (await response.json()) as { readonly rows?: readonly LedgerRow[] }
    if (!Array.isArray(rows)) throw new Error('the answer holds no rows')
    return rows as readonly LedgerRow[]
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    throw new ZonewiseError('CLIENT_FAILED', 'the ledger cannot be read',
      { http: address, reason: cause instanceof Error ? cause.message : String(cause) }, error)
  }
}

/** A table of bytes by (from, to), and what crosses zones, by cause. */
export function ledgerText(rows: readonly LedgerRow[]): string {
  const places = [...new Set(rows.flatMap(({ from, to }) => [from, to]))].sort((a, b) =>
    NO_ZONES.indexOf(a) - NO_ZONES.indexOf(b) || (a < b ? -1 : 1))
  if (places.length === 0) return 'Nothing was counted yet.\n'
  const sum = (list: readonly LedgerRow[]): number => list.reduce((total, { bytes }) => total + bytes, 0)
  const table = [['from \\ to', ...places], ...places.map((from) => [from, ...places.map((to) => {
    const bytes = sum(rows.filter((row) => row.from === from && row.to === to))
    return bytes === 0 ? '-' : bytesText(bytes)
  })])]
  const crossing = rows.filter(({ crosses }) => crosses)
  const lines = [true, false].map((payload) => {
    const list = crossing.filter((row) => row.payload === payload)
    const causes = [...new Set(list.map(({ cause }) => cause))].sort()
    const parts = causes.map((cause) => `${cause} ${bytesText(sum(list.filter((row) => row.cause === cause)))}`)
    const detail = parts.length === 0 ? '' : ` (${parts.join(', ')})`
    return `  ${payload ? 'payload   ' : 'no payload'}   ${bytesText(sum(list))}${detail}`
  })
  return `${textTable(table)}\n\nAcross zones:\n${lines.join('\n')}\n`
}
