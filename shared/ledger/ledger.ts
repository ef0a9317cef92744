/**
 * The ledger: bytes and requests by (from, to, cause), counted at every socket, store, journal and RPC seam. `from` and
 * `to` are a zone id, 'unknown', 'store' or 'journal'. Handles are taken once and kept: counting is two adds.
 */
export type Place = string

/** Causes and whether their bytes are payload (record bytes) or not. */
export const CAUSES = {
  produce: { payload: true, doc: 'Produce requests and answers on client sockets.' },
  fetch: { payload: true, doc: 'Fetch requests and answers on client sockets.' },
  client: { payload: false, doc: 'Every other request and answer on client sockets.' },
  failover: { payload: true, doc: 'All requests and answers of clients whose own zone has no live gateway.' },
  'chunk-put': { payload: true, doc: 'Chunks written to the object store.' },
  'chunk-get': { payload: true, doc: 'Chunk bytes read from the object store.' },
  'chunk-share': { payload: true, doc: 'Chunk bytes between nodes (inside a zone only).' },
  snapshot: { payload: false, doc: 'Snapshots and cluster metadata in the object store.' },
  list: { payload: false, doc: 'LIST and DELETE calls of the object store.' },
  journal: { payload: false, doc: 'Journal appends and reads.' },
  commit: { payload: false, doc: 'Batch headers from a gateway to the leaders, and their answers.' },
  feed: { payload: false, doc: 'Durable journal groups from a leader to the views of other nodes.' },
  plan: { payload: false, doc: 'Fetch plans and long polls between a gateway and its zone reader.' },
  group: { payload: false, doc: 'Consumer group calls forwarded to the shard leader.' },
  admin: { payload: false, doc: 'Topic and configuration calls forwarded to the catalog.' },
  stream: { payload: false, doc: 'Handshakes and pings of the streams between nodes.' }
} as const satisfies Record<string, { payload: boolean; doc: string }>

export type Cause = keyof typeof CAUSES

export type LedgerRow = {
  readonly from: Place; readonly to: Place; readonly cause: Cause
  readonly payload: boolean
  /** true where both ends are zones and differ. */
  readonly crosses: boolean
  readonly bytes: number; readonly requests: number
}

export type LedgerCell = { bytes: number; requests: number }

const NO_ZONE = new Set<Place>(['unknown', 'store', 'journal'])

export class Ledger {
  readonly #cells = new Map<string, { from: Place; to: Place; cause: Cause; cell: LedgerCell }>()

  /** The counter of one (from, to, cause); the same object every time, to be kept and added to. */
  cell(from: Place, to: Place, cause: Cause): LedgerCell {
    const key = `${from}\0${to}\0${cause}`
    let found = this.#cells.get(key)
    if (found === undefined) this.#cells.set(key, (found = { from, to, cause, cell: { bytes: 0, requests: 0 } }))
    return found.cell
  }

  add(from: Place, to: Place, cause: Cause, bytes: number, requests: number): void {
    const cell = this.cell(from, to, cause)
    cell.bytes += bytes
    cell.requests += requests
  }

  /** All rows with a count, ordered by from, to, cause. */
  rows(): LedgerRow[] {
    return [...this.#cells.entries()]
      .filter(([, { cell }]) => cell.bytes > 0 || cell.requests > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { from, to, cause, cell }]) => ({
        from, to, cause, payload: CAUSES[cause].payload,
        crosses: from !== to && !NO_ZONE.has(from) && !NO_ZONE.has(to), bytes: cell.bytes, requests: cell.requests
      }))
  }
}
