/** What the kernel counted between the places of a cluster, beside what the ledger says of the same bytes. Pure. */
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import { bytesText, textTable } from '#cli/command/text-table.ts'
import type { PairBytes } from './zone-net.ts'

/** IPv4 and TCP with time stamps: what the kernel counts and the ledger, above the sockets, does not. */
const HEADER_BYTES = 52

/** What store and journal are called among the hosts, and where the journal stands: to its own zone nothing passes. */
export type Standing = { readonly store: string; readonly journal: string; readonly journalZone: string }

export type Traffic = {
  readonly from: string
  readonly to: string
  readonly kernelBytes: number // of IP packets
  readonly bareBytes: number // without headers of IP and TCP
  readonly ledgerBytes: number
}

type Sum = { -readonly [K in keyof Traffic]: Traffic[K] }

/** One entry for each pair of different places that has traffic, in the order of names. */
export function zoneTraffic(pairs: readonly PairBytes[], rows: readonly LedgerRow[], standing: Standing): Traffic[] {
  const sums = new Map<string, Sum>()
  const sum = (from: string, to: string): Sum => {
    const found = sums.get(`${from} ${to}`) ?? { from, to, kernelBytes: 0, bareBytes: 0, ledgerBytes: 0 }
    sums.set(`${from} ${to}`, found)
    return found
  }
  for (const { from, to, bytes, packets } of pairs) {
    const one = sum(from, to)
    one.kernelBytes += bytes
    one.bareBytes += Math.max(0, bytes - packets * HEADER_BYTES)
  }
  const place = (name: string): string =>
    name === 'store' ? standing.store : name === 'journal' ? standing.journal : name
  for (const row of rows) {
    const [from, to] = [place(row.from), place(row.to)]
    const isLocal = from === to || [row.from, row.to].includes('journal') && [from, to].includes(standing.journalZone)
    if (!isLocal) sum(from, to).ledgerBytes += row.bytes
  }
  return [...sums.values()].sort((a, b) => (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1))
}

export function trafficText(traffic: readonly Traffic[]): string {
  const rows = traffic.map(({ from, to, kernelBytes, bareBytes, ledgerBytes }) =>
    [from, to, bytesText(kernelBytes), bytesText(bareBytes), bytesText(ledgerBytes)])
  return textTable([['from', 'to', 'kernel', 'without TCP/IP headers', 'ledger'], ...rows])
}
