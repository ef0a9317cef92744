/** A local S3-compatible server as a process of ours: start, stop, kill and start again on the same port and folder. */
import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { freePort } from './ports.ts'
import { type Progress, s3ServerBinary } from './s3-binary.ts'
import { endChild, type Holding, signalChild, spawnChild } from './server-child.ts'
import { HERE, type Within } from './within.ts'

const READY_MS_MAX = 15_000
const READY_POLL_MS = 20
const STOP_MS_MAX = 5_000
const PORT_TRIES = 5
const HEALTH = '/health'
const ERROR_TAIL_CHARS = 2_000

export type S3ServerOptions = {
  readonly folder: string // of the objects; a folder inside is a bucket
  readonly buckets: readonly string[] // made where they are missing
  readonly host?: string
  readonly port?: number // 0, and without it: any free port
  readonly progress?: Progress
  readonly within?: Within // as in another network namespace
  readonly holding?: Holding
}

export class S3Server {
  readonly region = 'us-east-1'
  readonly credentials = { accessKeyId: 'local', secretAccessKey: 'local-secret' } as const
  readonly #binary: string
  readonly #options: S3ServerOptions
  readonly #host: string
  #port = 0
  #child: ChildProcess | null = null

  private constructor(binary: string, options: S3ServerOptions) {
    this.#binary = binary
    this.#options = options
    this.#host = options.host ?? '127.0.0.1'
  }

  /** @throws ZonewiseError TOOL_MISSING, PORT_IN_USE */
  static async start(options: S3ServerOptions): Promise<S3Server> {
    const server = new S3Server(await s3ServerBinary(options.progress ?? ((): void => {})), options)
    for (const bucket of options.buckets) mkdirSync(join(options.folder, bucket), { recursive: true })
    await server.#startOnPort()
    return server
  }

  get endpoint(): string {
    return `http://${this.#host}:${this.#port}`
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Starts again what was stopped or killed. */
  async restart(): Promise<void> {
    if (this.#child !== null) await this.stop()
    await this.#run(this.#port)
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  /** As a crash ends it. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** Stops answering, and goes on later, as a machine that hangs. */
  pause(): void {
    if (this.#child !== null) signalChild(this.#child, 'SIGSTOP')
  }

  resume(): void {
    if (this.#child !== null) signalChild(this.#child, 'SIGCONT')
  }

  async #startOnPort(): Promise<void> {
    const { port = 0 } = this.#options
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#run(port === 0 ? await freePort(this.#host) : port)
      } catch (error) {
        const taken = error instanceof ZonewiseError && error.code === 'PORT_IN_USE'
        if (!taken || port !== 0 || attempt >= PORT_TRIES) throw error // another process was faster
      }
    }
  }

  async #run(port: number): Promise<void> {
    const { accessKeyId, secretAccessKey } = this.credentials
    const { within = HERE, holding = {}, folder } = this.#options
    const child = spawnChild([
      this.#binary, '--port', `${this.#host}:${port}`, '--region', this.region, '--keep-alive', '--quiet',
      '--health', HEALTH, 'posix', '--data-integrity-etag', folder
    ], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ROOT_ACCESS_KEY_ID: accessKeyId, ROOT_SECRET_ACCESS_KEY: secretAccessKey },
      within, holding
    })
    let said = ''
    child.stderr?.on('data', (bytes: Buffer) => { said = (said + bytes.toString()).slice(-ERROR_TAIL_CHARS) })
    let ended = false
    child.once('error', (error) => { ended = true; said += error.message })
    child.once('close', () => {
      ended = true
      if (this.#child === child) this.#child = null
    })
    this.#port = port
    this.#child = child
    const untilMs = performance.now() + READY_MS_MAX
    while (!(await isHealthy(this.endpoint))) {
      if (!ended && performance.now() < untilMs) {
        await new Promise((resolve) => { setTimeout(resolve, READY_POLL_MS) })
        continue
      }
      await this.#end('SIGKILL')
      if (/address already in use/.test(said))
        throw new ZonewiseError('PORT_IN_USE', 'the port of the local S3 server is taken', { port })
      const facts = { program: this.#binary, says: said.trim() }
      throw new ZonewiseError('TOOL_MISSING', 'the local S3 server does not start', facts)
    }
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#child !== null) await endChild(this.#child, signal, STOP_MS_MAX)
  }
}

async function isHealthy(endpoint: string): Promise<boolean> {
  return fetch(`${endpoint}${HEALTH}`).then((response) => response.ok, () => false)
}
