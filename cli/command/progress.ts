/** A count on stderr while a command runs, if a person looks at it. */
import type { Terminal } from './command.ts'

const EVERY_MS = 250

export type Progress = { add(count: number): void; end(): void }

/** Silent where stderr is no terminal, or where it would mix with records on the same terminal. */
export function newProgress({ stderr, stdout }: Terminal, what: string, mixes = false): Progress {
  if (stderr.isTTY !== true || (mixes && stdout.isTTY === true)) return { add() {}, end() {} }
  let total = 0
  const startedMs = performance.now()
  const show = (): void => {
    const perSecond = Math.round(total / Math.max(0.001, (performance.now() - startedMs) / 1_000))
    stderr.write(`\r${total.toLocaleString('en')} ${what}, ${perSecond.toLocaleString('en')} a second `)
  }
  const interval = setInterval(show, EVERY_MS)
  interval.unref()
  return {
    add: (count) => { total += count },
    end: () => {
      clearInterval(interval)
      show()
      stderr.write('\n')
    }
  }
}
