/** `npm run cluster` as somebody at a terminal has it: the leader of a process group, on ports of its own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { PORT_COUNT } from '#infra/local/cluster-plan.ts'
import { requireFreePort } from '#infra/local/ports.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const POLL_MS = 20
const ROW = PORT_COUNT + 2 // one more before and behind
const PORTS = { from: 20_000, to: 32_000 } as const // below those that the system gives to whoever connects
let nextPort = PORTS.from + process.pid * ROW % (PORTS.to - PORTS.from)

/** The first of as many free ports in a row as a cluster needs, and of one before them. */
export async function freePorts(): Promise<number> {
  for (;;) {
    const from = nextPort
    nextPort = from + 2 * ROW > PORTS.to ? PORTS.from : from + ROW
    const row = Array.from({ length: ROW }, (_, i) => requireFreePort('127.0.0.1', from + i, 'a test'))
    if ((await Promise.allSettled(row)).every(({ status }) => status === 'fulfilled')) return from + 1
  }
}

const launched: LaunchedCluster[] = []

/** For the end of a test file: what tests that failed left running would keep it waiting. */
export function killLaunched(): void {
  for (const one of launched) for (const { pid } of one.processes()) process.kill(pid, 'SIGKILL')
}

export class LaunchedCluster {
  readonly child: ChildProcess
  readonly #marks: readonly string[] // each of its processes has one of them in its command
  readonly #exited: Promise<number | null>
  #output = ''

  /** `portsFrom` null: in network namespaces, where all ports are free. */
  constructor(data: string, portsFrom: number | null) {
    const ports = portsFrom === null ? [] : Array.from({ length: PORT_COUNT }, (_, i) => portsFrom + i)
    this.#marks = [data, ...ports.map((port) => `redis-server 127.0.0.1:${port}`)] // Redis shows its address only
    const script = portsFrom === null ? 'cluster:zones' : 'cluster'
    const flags = portsFrom === null ? [] : ['--ports-from', String(portsFrom)]
    const args = ['run', '--silent', script, '--', '--data', data, ...flags]
    this.child = spawn('npm', args, { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const output of [this.child.stdout, this.child.stderr])
      output!.on('data', (bytes: Buffer) => { this.#output += bytes.toString() })
    this.#exited = once(this.child, 'close').then(([code]) => code as number | null)
    launched.push(this)
  }

  get output(): string {
    return this.#output
  }

  /** Until it says so; throws when it ends before. */
  async says(words: RegExp): Promise<void> {
    while (!words.test(this.#output)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`it ended:\n${this.#output}`)
      await new Promise((resolve) => { setTimeout(resolve, POLL_MS) })
    }
  }

  ended(): Promise<number | null> {
    return this.#exited
  }

  /** As Ctrl-C does. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.child.pid!, signal)
  }

  /** Servers, nodes and the one that started them. */
  processes(): readonly { readonly pid: number; readonly command: string }[] {
    const lines = execFileSync('ps', ['-eww', '-o', 'pid=,args=']).toString().split('\n')
    return lines.filter((line) => this.#marks.some((mark) => line.includes(mark)))
      .map((line) => ({ pid: Number.parseInt(line, 10), command: line.trim().replace(/^\d+ /, '') }))
  }

  pidOf(words: string): number {
    const found = this.processes().filter(({ command }) => command.includes(words))
    if (found.length !== 1) throw new Error(`${found.length} processes are ${words}`)
    return found[0]!.pid
  }
}
