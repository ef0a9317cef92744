/** `zonewise ledger`: which bytes went from which zone to which, and what crossed; once, or again and again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { ClusterLedger } from '../node/cluster-ledger.ts'
import { type Arguments, timeFlag } from './arguments.ts'
import { EXIT, type Terminal } from './command.ts'
import { askNode, httpAddress } from './http-client.ts'
import { type Counted, ledgerText, ratesBetween } from './ledger-text.ts'

const INTERVAL_MS = { default: 2_000, min: 100, max: 3_600_000 } as const
/** Of a terminal (ECMA-48): to the first line; what is right of the cursor, and below it, is wiped. */
const HOME = '\u001b[H'
const WIPE_RIGHT = '\u001b[K'
const WIPE_BELOW = '\u001b[J'

type Asked = Counted & Partial<Pick<ClusterLedger, 'nodes'>>

export async function ledger(args: Arguments, terminal: Terminal): Promise<number> {
  const address = httpAddress(args, terminal)
  const intervalMs = timeFlag(args, 'interval', INTERVAL_MS)
  const counted = await askLedger(address)
  if (args.flags.has('watch')) return watch({ args, terminal, address, intervalMs }, counted)
  terminal.stdout.write(args.flags.has('json') ? `${JSON.stringify(counted, null, 2)}\n` : ledgerText(counted))
  return EXIT.ok
}

type Watching = {
  readonly args: Arguments; readonly terminal: Terminal; readonly address: string; readonly intervalMs: number
}

/** Until Ctrl-C. A node that does not answer is asked again; what was shown stays, with the reason. */
async function watch({ args, terminal, address, intervalMs }: Watching, first: Asked): Promise<number> {
  const stopped = new AbortController()
  terminal.onSignal(() => { stopped.abort() })
  terminal.onOutputClosed(() => { stopped.abort() })
  const show = args.flags.has('json') ? showJson : showText
  let before: Asked | null = null
  let beforeMs = 0
  let now = first
  let text = ''
  let failure = ''
  while (!stopped.signal.aborted) {
    const nowMs = performance.now()
    if (failure === '') {
      const rates = before === null ? null : ratesBetween(before, now, (nowMs - beforeMs) / 1_000)
      text = args.flags.has('json') ? JSON.stringify(now) : ledgerText(now, rates, terminal.stdout.columns)
      before = now
      beforeMs = nowMs
    }
    show(terminal, `${headText(address, now, intervalMs)}\n\n`, text, failure)
    await sleep(intervalMs, null, { signal: stopped.signal }).catch(() => {})
    if (stopped.signal.aborted) break
    try {
      now = await askLedger(address)
      failure = ''
    } catch (error) {
      if (!(error instanceof ZonewiseError)) throw error
      failure = explain(error)
    }
  }
  return EXIT.interrupted
}

function headText(address: string, { nodes }: Asked, intervalMs: number): string {
  const count = nodes === undefined ? '' : `, ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}`
  return `Bytes from zone to zone since the nodes started, and a second (http ${address}${count}, every ` +
    `${intervalMs / 1_000} s; Ctrl-C ends)`
}

/** On a terminal over what stood there; else one below the other. */
function showText({ stdout }: Terminal, head: string, text: string, failure: string): void {
  const shown = `${head}${text}${failure === '' ? '' : `\n${failure}\n`}`
  if (stdout.isTTY !== true) stdout.write(`${shown}\n`)
  else stdout.write(`${HOME}${shown.replaceAll('\n', `${WIPE_RIGHT}\n`)}${WIPE_BELOW}`)
}

function showJson({ stdout, stderr }: Terminal, _head: string, text: string, failure: string): void {
  if (failure === '') stdout.write(`${text}\n`)
  else stderr.write(`${failure}\n`)
}

async function askLedger(address: string): Promise<Asked> {
  const answer = await askNode(address, '/api/ledger') as Asked
  if (Array.isArray(answer.rows)) return answer
  throw new ZonewiseError('CLIENT_FAILED', 'the answer holds no ledger', { http: address })
}
