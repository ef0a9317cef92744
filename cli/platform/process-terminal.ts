/** Standard streams and signals of the process. */
import type { Terminal } from '../command/command.ts'

const SAME_PRESS_MS = 300 // Ctrl-C reaches a process once by the terminal and once more through npm or the launcher
const CLOSED = new Set(['EPIPE', 'ERR_STREAM_DESTROYED']) // whoever read our output has seen enough: `... | head`

/** `outlivesReader`: a server goes on when nobody reads its standard output any more; a command ends, in peace. */
export function newProcessTerminal({ outlivesReader }: { readonly outlivesReader: boolean }): Terminal {
  let closed = (): void => { process.exit(0) }
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (outlivesReader) return
    if (!CLOSED.has(error.code ?? '')) throw error
    closed()
  })
  process.stderr.on('error', () => {})
  return {
    stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: process.env,
    onSignal: (fn) => {
      let lastMs = -Infinity
      const once = (signal: 'SIGINT' | 'SIGTERM'): void => {
        const nowMs = performance.now()
        if (nowMs - lastMs < SAME_PRESS_MS) return
        lastMs = nowMs
        fn(signal)
      }
      const onTerm = (): void => { once('SIGTERM') }
      const listeners = [['SIGINT', () => { once('SIGINT') }], ['SIGTERM', onTerm], ['SIGHUP', onTerm]] as const
      for (const [signal, listener] of listeners) process.on(signal, listener)
      return () => { for (const [signal, listener] of listeners) process.off(signal, listener) }
    },
    onOutputClosed: (fn) => { closed = fn },
    exit: (code) => process.exit(code)
  }
}
