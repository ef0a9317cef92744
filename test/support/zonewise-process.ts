/** A `zonewise` of its own for a test: commands run to their end, or a server on free ports until it is stopped. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ZONEWISE = fileURLToPath(new URL('../../cli/zonewise.mjs', import.meta.url))
const START_MS = 60_000
const POLL_MS = 20

export type Ran = { readonly code: number | null; readonly stdout: Buffer; readonly stderr: string }
export type Endpoints = {
  readonly listeners: readonly {
    readonly zone: string; readonly host: string; readonly port: number; readonly nodeId: number
  }[]
  readonly http: { readonly host: string; readonly port: number }
}
export type Server = {
  readonly child: ChildProcess
  readonly endpoints: Endpoints
  readonly log: () => string
  /** `host:port` of the n-th zone. */
  bootstrap(zone: number): string
  /** Sends `signal` and resolves with the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>
}

/** Runs one command to its end. `input` becomes its standard input. */
export async function zonewise(
  args: readonly string[], input: Uint8Array | string = '', env: NodeJS.ProcessEnv = {}
): Promise<Ran> {
  const child = spawn(process.execPath, [ZONEWISE, ...args], { stdio: 'pipe', env: { ...process.env, ...env } })
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (bytes: Buffer) => { stdout.push(bytes) })
  child.stderr.on('data', (bytes: Buffer) => { stderr += bytes.toString() })
  child.stdin.on('error', () => {}) // a command that refuses its arguments reads nothing
  child.stdin.end(input)
  const code = await new Promise<number | null>((resolve) => { child.on('close', resolve) })
  return { code, stdout: Buffer.concat(stdout), stderr }
}

/** A server process from its first moment on; it may be killed before it is ready. */
export type Launched = {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  readonly log: () => string
  /** null: not ready yet. */
  endpoints(): Endpoints | null
}

export const FREE_LISTENERS = ['a', 'b', 'c'].map((zone) => `zone=zone-${zone},port=0`)

/** Starts a server with its data in `folder` and waits for nothing. */
export function launchServer(
  folder: string, flags: readonly string[] = [], listeners: readonly string[] = FREE_LISTENERS,
  env: NodeJS.ProcessEnv = {}
): Launched {
  const file = join(folder, `endpoints-${process.hrtime.bigint()}.json`)
  const args = ['start', '--data', join(folder, 'data'), '--endpoints-file', file, ...listeners.flatMap(
    (spec) => ['--listener', spec]
  )]
  const child = spawn(process.execPath, [ZONEWISE, ...args, '--http', '127.0.0.1:0', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }
  })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => { output += bytes.toString() })
  child.stderr.on('data', (bytes: Buffer) => { output += bytes.toString() })
  const exited = new Promise<number | null>((resolve) => { child.on('close', resolve) })
  return {
    child, exited, log: () => output,
    endpoints: () => existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) as Endpoints : null
  }
}

/** Starts a server with three zones on free ports, its data and endpoints file in `folder`. */
export async function startServer(folder: string, flags: readonly string[] = []): Promise<Server> {
  const { child, exited, log, endpoints: look } = launchServer(folder, flags)
  const untilMs = performance.now() + START_MS
  let endpoints = look()
  for (; endpoints === null; endpoints = look()) {
    if (child.exitCode !== null || performance.now() > untilMs) {
      child.kill('SIGKILL')
      throw new Error(`the server did not start:\n${log()}`)
    }
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS) })
  }
  const { listeners } = endpoints
  return {
    child, endpoints, log,
    bootstrap: (zone) => `${listeners[zone]!.host}:${listeners[zone]!.port}`,
    end: (signal = 'SIGTERM') => {
      child.kill(signal)
      return exited
    }
  }
}
