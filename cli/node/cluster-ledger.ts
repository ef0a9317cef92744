/** The ledger of a cluster: every node's added up, and who did not answer. */
import type { Membership } from '#shared/cluster/membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { CAUSES, type Cause, Ledger, type LedgerRow } from '#shared/ledger/ledger.ts'
import { ledgerCall } from '#shared/rpc/ledger.ts'
import type { Transport } from '#shared/transport/transport.ts'

const DEADLINE_MS = 2_000

export type ClusterLedger = {
  readonly rows: readonly LedgerRow[]
  readonly nodes: readonly number[] // whose counters are in
  readonly missing: readonly number[] // that did not answer
}

export function serveLedger(transport: Transport, rows: () => readonly LedgerRow[]): void {
  transport.serve(ledgerCall, async () => ({
    rows: rows().map(({ from, to, cause, bytes, requests }) => ({ from, to, cause, bytes, requests }))
  }))
}

export async function askLedgers(transport: Transport, membership: Membership): Promise<ClusterLedger> {
  const sum = new Ledger()
  const nodes: number[] = []
  const missing: number[] = []
  await Promise.all(membership.current().nodes.map(async ({ nodeId }) => {
    try {
      const { response } = await transport.call(nodeId, ledgerCall, {}, { deadlineMs: DEADLINE_MS })
      for (const { from, to, cause, bytes, requests } of response.rows)
        if (isCause(cause)) sum.add(from, to, cause, bytes, requests) // a newer node may know more of them
      nodes.push(nodeId)
    } catch (error) {
      if (!(error instanceof ZonewiseError)) throw error
      missing.push(nodeId)
    }
  }))
  const ascending = (a: number, b: number): number => a - b
  return { rows: sum.rows(), nodes: nodes.sort(ascending), missing: missing.sort(ascending) }
}

function isCause(text: string): text is Cause {
  return Object.hasOwn(CAUSES, text)
}
