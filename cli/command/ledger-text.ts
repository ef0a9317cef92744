/** The ledger for a terminal: zones by zones, and what crosses; with what moves a second where that is known. */
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import { bytesText, textTable } from './text-table.ts'

const NO_ZONES = ['unknown', 'store', 'journal'] // listed after the zones

export type Counted = {
  readonly rows: readonly LedgerRow[]
  readonly missing?: readonly number[] // nodes that did not answer
}

/** Bytes a second of the same rows. */
export type Rates = { of(chosen: (row: LedgerRow) => boolean): number }

/**
 * What moved between two looks, a second. A node that started again counts from nothing: that is no negative rate.
 */
export function ratesBetween(before: Counted, now: Counted, seconds: number): Rates {
  const bytesBefore = new Map(before.rows.map((row) => [keyOf(row), row.bytes]))
  const moved = now.rows.map((row) => ({ row, bytes: Math.max(0, row.bytes - (bytesBefore.get(keyOf(row)) ?? 0)) }))
  return {
    of: (chosen) => moved.filter(({ row }) => chosen(row)).reduce((sum, { bytes }) => sum + bytes, 0) / seconds
  }
}

function keyOf({ from, to, cause }: LedgerRow): string {
  return `${from}\0${to}\0${cause}`
}

/** `columns`: of the terminal; where rates do not fit beside totals, they stand below. */
export function ledgerText(counted: Counted, rates: Rates | null = null, columns = Infinity): string {
  const { rows, missing = [] } = counted
  if (rows.length === 0) return `Nothing was counted yet.\n${missingText(missing)}`
  return `${tableText(rows, rates, columns)}\n\nAcross zones:\n${crossingText(rows, rates)}\n${missingText(missing)}`
}

function tableText(rows: readonly LedgerRow[], rates: Rates | null, columns: number): string {
  const places = [...new Set(rows.flatMap(({ from, to }) => [from, to]))].sort((a, b) =>
    NO_ZONES.indexOf(a) - NO_ZONES.indexOf(b) || (a < b ? -1 : 1))
  const cells = places.map((from) => places.map((to) => {
    const isIn = (row: LedgerRow): boolean => row.from === from && row.to === to
    const bytes = sum(rows.filter(isIn))
    const rate = rates?.of(isIn) ?? 0
    return { total: bytes === 0 ? '-' : bytesText(bytes), rate: rates === null || bytes === 0 ? '' : rateText(rate) }
  }))
  const head = ['from \\ to', ...places]
  const widths = places.map((_, j) => Math.max(...cells.map((line) => line[j]!.rate.length)))
  const withRate = (rate: string, j: number): string => (rates === null ? '' : `  ${rate.padStart(widths[j]!)}`)
  const beside = textTable([head, ...places.map((from, i) =>
    [from, ...cells[i]!.map(({ total, rate }, j) => `${total}${withRate(rate, j)}`)])])
  if (rates === null || beside.split('\n').every((line) => line.length <= columns)) return beside
  return textTable([head, ...places.flatMap((from, i) => [
    [from, ...cells[i]!.map(({ total }) => total)], ['', ...cells[i]!.map(({ rate }) => rate)]
  ])])
}

function crossingText(rows: readonly LedgerRow[], rates: Rates | null): string {
  return [true, false].map((payload) => {
    const isIn = (row: LedgerRow): boolean => row.crosses && row.payload === payload
    const list = rows.filter(isIn)
    const causes = [...new Set(list.map(({ cause }) => cause))].sort()
    const parts = causes.map((cause) => `${cause} ${bytesText(sum(list.filter((row) => row.cause === cause)))}`)
    const rate = rates === null ? '' : `  ${rateText(rates.of(isIn))}`
    const detail = parts.length === 0 ? '' : ` (${parts.join(', ')})`
    return `  ${payload ? 'payload   ' : 'no payload'}   ${bytesText(sum(list))}${rate}${detail}`
  }).join('\n')
}

function missingText(missing: readonly number[]): string {
  if (missing.length === 0) return ''
  const one = missing.length === 1
  const who = `${one ? 'Node' : 'Nodes'} ${missing.join(', ')}`
  return `${who} did not answer: what ${one ? 'it' : 'they'} counted is not in.\n`
}

function rateText(bytesPerSecond: number): string {
  return `${bytesText(Math.round(bytesPerSecond))}/s`
}

function sum(rows: readonly LedgerRow[]): number {
  return rows.reduce((total, { bytes }) => total + bytes, 0)
}
