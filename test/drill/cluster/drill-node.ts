/** One node of the cluster under a drill: a process in the namespace of its zone, with all the lives it had. */
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { askNode } from '#cli/command/http-client.ts'
import type { Within } from '#infra/local/within.ts'
import { pause } from '../kill-moments.ts'

const OWN = fileURLToPath(new URL('../../..', import.meta.url))
const READY_MS_MAX = 60_000
const POLL_MS = 10
const HTTP_MS_MAX = 10_000

export type DrillNodeOptions = {
  readonly nodeId: number
  readonly zone: string
  readonly roles: string // as the flag says them
  readonly host: string
  readonly kafkaPort: number
  readonly httpPort: number
  readonly folder: string
  readonly flags: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly within: Within
}

export class DrillNode {
  readonly options: DrillNodeOptions
  /** The checkout that its next lives are started from. */
  checkout = OWN
  readonly #endpointsFile: string
  #child: ChildProcess | null = null
  #exited: Promise<number | null> = Promise.resolve(null)
  #log = ''

  constructor(options: DrillNodeOptions) {
    this.options = options
    this.#endpointsFile = join(options.folder, 'endpoints.json')
  }

  get isGateway(): boolean {
    return this.options.roles.includes('gateway')
  }

  get log(): string {
    return this.#log
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: this.options.host, port: this.options.kafkaPort }
  }

  /** Starts a life, unless one goes on, and waits for nothing. */
  launch(): void {
    if (this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null) return
    const { nodeId, zone, roles, host, kafkaPort, httpPort, folder, flags, env, within } = this.options
    const listener = this.isGateway ? ['--listener', `zone=${zone},host=${host},port=${kafkaPort}`] : []
    mkdirSync(folder, { recursive: true })
    rmSync(this.#endpointsFile, { force: true })
    const command = within([
      process.execPath, join(this.checkout, 'cli/zonewise.mjs'), 'start', '--node-id', String(nodeId), '--zone', zone,
      '--roles', roles, ...listener, '--http', `${host}:${httpPort}`,
      '--data', join(folder, 'data'), '--endpoints-file', this.#endpointsFile, '--log-format', 'json', ...flags
    ])
    const child = spawn(command.file, [...command.args], { stdio: ['ignore', 'pipe', 'pipe'], env })
    const onOutput = (bytes: Buffer): void => {
      this.#log += bytes.toString()
      appendFileSync(join(folder, 'log'), bytes)
    }
    child.stdout.on('data', onOutput)
    child.stderr.on('data', onOutput)
    this.#child = child
    this.#exited = new Promise((resolve) => { child.once('close', resolve) })
  }

  get isReady(): boolean {
    return existsSync(this.#endpointsFile) && readFileSync(this.#endpointsFile, 'utf8') !== ''
  }

  /** Resolves when the newest life serves clients. */
  async ready(): Promise<void> {
    for (const untilMs = performance.now() + READY_MS_MAX; !this.isReady; await pause(POLL_MS)) {
      if (this.#child?.exitCode === null && performance.now() < untilMs) continue
      throw new Error(`node ${this.options.nodeId} did not start:\n${this.#log.slice(-8_000)}`)
    }
  }

  /** As a crash ends it. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** As an operator ends it. @returns the exit code */
  async stop(): Promise<number | null> {
    this.#child?.kill('SIGTERM')
    return this.#exited
  }

  /** Waits until it ends by itself. @returns the exit code; null: it did not within `withinMs` */
  async ended(withinMs: number): Promise<number | null> {
    return Promise.race([this.#exited, pause(withinMs).then(() => null)])
  }

  /** Of the version that is tested, whatever it was started from. */
  upgrade(): void {
    this.checkout = OWN
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Has the node `nodeId` drained, or not any more. @throws when it refuses or cannot be asked */
  async drain(nodeId: number, draining: boolean): Promise<void> {
    const { host, httpPort } = this.options
    await askNode(`${host}:${httpPort}`, `/api/nodes/${nodeId}/${draining ? 'drain' : 'undrain'}`, 'POST')
  }

  /** What its HTTP port says. */
  async text(path: string): Promise<string> {
    const { host, httpPort } = this.options
    return (await fetch(`http://${host}:${httpPort}${path}`, { signal: AbortSignal.timeout(HTTP_MS_MAX) })).text()
  }
}
