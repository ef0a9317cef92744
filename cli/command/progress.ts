/** A count on stderr while a command runs, if a person looks at it. */
import type { Terminal } from './command.ts'

const EVERY_MS = 250

export type Progress = { add(count: number): void; end(): void }

/** Silent where stderr is no terminal, or where `mixes` says that something else is written on the same one. */
export function newProgress({ stderr }: Terminal, what: string, mixes: boolean): Progress {
  if (stderr.isTTY !== true || mixes) return { add() {}, end() {} }
  let total = 0
  let columns = 0
  const startedMs = performance.now()
  const show = (): void => {
    const perSecond = Math.round(total / Math.max(0.001, (performance.now() - startedMs) / 1_000))
    const text = `${what}: ${total.toLocaleString('en')} (${perSecond.toLocaleString('en')} a second)`
    stderr.write(`\r${text.padEnd(columns)}`)
    columns = text.length
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
