/** Asks a node over HTTP, for the commands that do. */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { CHANGE_HEADER } from '../http/paths.ts'
import { type Arguments, splitHostPort } from './arguments.ts'
import type { Terminal } from './command.ts'

const HTTP_DEFAULT = '127.0.0.1:8080'
const TIMEOUT_MS = 10_000

/** @throws ZonewiseError ARGUMENT_INVALID */
export function httpAddress(args: Arguments, terminal: Terminal): string {
  const address = args.flags.get('http') ?? terminal.env['ZONEWISE_HTTP'] ?? HTTP_DEFAULT
  if (splitHostPort(address) !== null) return address
  throw new ZonewiseError('ARGUMENT_INVALID', 'the http address is not HOST:PORT', { http: `"${address}"` })
}

/**
 * The JSON that a node answers.
 * @throws ZonewiseError CLIENT_FAILED: it cannot be asked, or not now; REQUEST_REFUSED: it says no, and why
 */
export async function askNode(address: string, path: string, method: 'GET' | 'POST' = 'GET'): Promise<unknown> {
  let response: Response
  let answer: unknown
  try {
    const headers = method === 'GET' ? {} : { [CHANGE_HEADER]: '1' }
    response = await fetch(`http://${address}${path}`, { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) })
    answer = await response.json()
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause)
    throw new ZonewiseError('CLIENT_FAILED', 'the node cannot be asked', { http: address, reason }, error)
  }
  if (response.ok) return answer
  const { error: said, missing } = answer as { readonly error?: unknown; readonly missing?: unknown }
  const waitsFor = Array.isArray(missing) ? missing.join('; ') : `status ${response.status}`
  const reason = typeof said === 'string' ? said : waitsFor
  if (response.status === 409) throw new ZonewiseError('REQUEST_REFUSED', 'the node refuses this', { reason })
  throw new ZonewiseError('CLIENT_FAILED', 'the node does not answer this', { http: address, reason })
}
