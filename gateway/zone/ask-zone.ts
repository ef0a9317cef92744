/**
 * Asks a broker of the zone what any of them can answer. One that died is in the membership until its lease runs out:
 * where it cannot be reached the next one is asked at once.
 */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

const ASKED_MAX = 3
/** Codes that say nothing about the question: the node is not there, or will not be soon. */
const GONE: ReadonlySet<string> = new Set(['RPC_UNAVAILABLE', 'STOPPING'])

/**
 * `pick` names the node to ask but for those that did not answer, or null.
 * @throws what the last one threw that was asked; ZonewiseError RPC_UNAVAILABLE: there is nobody to ask
 */
export async function askZone<Answer>(
  pick: (unreachable: ReadonlySet<number>) => number | null, ask: (node: number) => Promise<Answer>
): Promise<Answer> {
  const unreachable = new Set<number>()
  let failure = new ZonewiseError('RPC_UNAVAILABLE', 'no broker in this zone')
  while (unreachable.size < ASKED_MAX) {
    const node = pick(unreachable)
    if (node === null) break
    try {
      return await ask(node)
    } catch (error) {
      if (!(error instanceof ZonewiseError) || !GONE.has(error.code)) throw error
      failure = error
      unreachable.add(node)
    }
  }
  throw failure
}
