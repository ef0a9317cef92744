/** What the HTTP port of a process serves. */

/** Paths to read. */
export const PATHS = {
  '/': 'this list',
  '/live': '200 while the event loop turns',
  '/ready': '200 when clients can be served, else 503 and what is missing',
  '/metrics': 'metrics as Prometheus text',
  '/api/ledger': 'bytes and requests by (from, to, cause) as JSON',
  '/api/nodes': 'the nodes of the cluster as JSON'
} as const

/** A request that changes something must have it: no page of a browser can send it to an address of another site. */
export const CHANGE_HEADER = 'zonewise-change'

const DRAIN = /^\/api\/nodes\/(\d{1,10})\/(drain|undrain)$/

/** `POST /api/nodes/ID/drain` and `.../undrain`; null: it is none of them. */
export function drainOf(path: string): { readonly nodeId: number; readonly draining: boolean } | null {
  const found = DRAIN.exec(path)
  return found === null ? null : { nodeId: Number(found[1]), draining: found[2] === 'drain' }
}
