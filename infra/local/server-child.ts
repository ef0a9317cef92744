/**
 * Servers and long builds as children of this process. None outlives it in any end that it can see; `ChildGuard` is for
 * the ends that it cannot.
 */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'
import { HERE, type Within } from './within.ts'

/** How a child is held. Without any of it: as any other child. */
export type Holding = {
  /** A process group of its own: Ctrl-C of a terminal does not reach it, whoever started it stops it in good order. */
  readonly ownGroup?: boolean
  readonly onStart?: (pid: number) => void
  /** It ended, asked or not; `how` is "exit code 1" or "SIGKILL". */
  readonly onExit?: (how: string) => void
}

export type SpawnOptions = {
  readonly within?: Within
  readonly holding?: Holding
  readonly env?: NodeJS.ProcessEnv
  readonly stdio: StdioOptions
}

const running = new Map<ChildProcess, { readonly ownGroup: boolean }>()
process.once('exit', () => { for (const child of running.keys()) signalChild(child, 'SIGKILL') })

/** Starts it; `error` and `exit` of the child say the rest. */
export function spawnChild(command: readonly string[], options: SpawnOptions): ChildProcess {
  const { within = HERE, holding = {}, env = process.env, stdio } = options
  const ownGroup = holding.ownGroup === true
  const { file, args } = within(command)
  const child = spawn(file, [...args], { stdio, env, detached: ownGroup })
  if (child.pid === undefined) return child // `error` comes
  running.set(child, { ownGroup })
  holding.onStart?.(child.pid)
  child.once('exit', (code, signal) => {
    running.delete(child)
    holding.onExit?.(signal ?? `exit code ${code}`)
  })
  return child
}

/** Signals a child that still runs, and its whole group if that is its own. */
export function signalChild(child: ChildProcess, signal: NodeJS.Signals): void {
  const group = running.get(child)
  if (group === undefined) return
  if (group.ownGroup) process.kill(-child.pid!, signal)
  else child.kill(signal)
}

/** Ends a child, paused or not, and waits until it has; after `lateMs` it is killed. */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals, lateMs = Infinity): Promise<void> {
  if (!running.has(child)) return
  const exited = new Promise<void>((resolve) => { child.once('exit', () => { resolve() }) })
  signalChild(child, 'SIGCONT') // a paused one takes no other signal
  signalChild(child, signal)
  const late = lateMs === Infinity ? undefined : setTimeout(() => { signalChild(child, 'SIGKILL') }, lateMs)
  await exited
  clearTimeout(late)
}

/** Of the shell: reads ids of processes, and kills them once nobody can send more. */
const WATCH = 'while read pid; do pids="$pids $pid"; done; kill -KILL $pids'

/** Ends children of this process when it is killed itself, and can do nothing any more. */
export class ChildGuard {
  readonly #child: ChildProcess

  constructor() {
    this.#child = spawn('sh', ['-c', WATCH], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    this.#child.stdin!.on('error', () => {}) // without it all is as it was, but for that one case
    this.#child.on('error', () => {})
    this.#child.unref()
  }

  watch(pid: number): void {
    this.#child.stdin!.write(`${pid}\n`)
  }

  /** The children have ended: their ids may soon be those of others. */
  dismiss(): void {
    this.#child.kill('SIGKILL')
  }
}
