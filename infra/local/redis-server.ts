/**
 * A redis-server of this machine that keeps what it acknowledged, for tests and for a cluster on one machine: started
 * in a folder, stopped, killed, paused, and started again on what is there.
 */
import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { findProgram } from './find-program.ts'
import { freePort } from './ports.ts'
import { endChild, type Holding, signalChild, spawnChild } from './server-child.ts'
import { HERE, type Within } from './within.ts'

/** Nothing is acknowledged before it is on the disk, nothing evicted, nothing saved beside the log of commands. */
const DURABLE: Readonly<Record<string, string>> = {
  appendonly: 'yes', appendfsync: 'always', 'no-appendfsync-on-rewrite': 'no', 'maxmemory-policy': 'noeviction',
  save: ''
}

const READY_MS = 30_000
const OUTPUT_CHARS_MAX = 16_384 // the newest are kept, to explain a start that failed
const PORT_TRIES = 5

export type RedisServerOptions = {
  readonly folder: string // made if missing; its data is kept
  readonly host?: string
  readonly port?: number // 0, the default: any free one, the same at every later start
  readonly tls?: boolean // the port speaks TLS only; `config` names the certificates
  readonly config?: Readonly<Record<string, string>> // over the durable one
  readonly args?: readonly string[] // first, as `CONFIG_FILE --sentinel`
  readonly within?: Within // as in another network namespace
  readonly holding?: Holding
}

/** @throws ZonewiseError TOOL_MISSING: what to install */
export function requireRedis(env: NodeJS.ProcessEnv): void {
  if (findProgram('redis-server', env) === null) throw missing()
}

export class RedisServer {
  readonly host: string
  readonly folder: string
  readonly #options: RedisServerOptions
  #port: number
  #child: ChildProcess | null = null
  #output = ''

  private constructor(options: RedisServerOptions) {
    this.#options = options
    this.host = options.host ?? '127.0.0.1'
    this.folder = options.folder
    this.#port = options.port ?? 0
  }

  /** Starts a server and waits until it serves. @throws ZonewiseError TOOL_MISSING, PORT_IN_USE */
  static async start(options: RedisServerOptions): Promise<RedisServer> {
    const server = new RedisServer(options)
    mkdirSync(options.folder, { recursive: true })
    await server.start()
    return server
  }

  get port(): number {
    return this.#port
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** The newest lines it printed. */
  get output(): string {
    return this.#output
  }

  /** Starts it again, on the same port and folder. */
  async start(): Promise<void> {
    const anyPort = this.#port === 0
    for (let attempt = 1; ; attempt++) {
      if (anyPort) this.#port = await freePort(this.host)
      try {
        return await this.#spawn()
      } catch (error) {
        // Somebody took the free port in between.
        const again = anyPort && attempt < PORT_TRIES && error instanceof ZonewiseError && error.code === 'PORT_IN_USE'
        if (!again) throw error
      }
    }
  }

  /** Ends it as an operator would. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** It neither answers nor refuses until it is resumed. */
  pause(): void {
    if (this.#child !== null) signalChild(this.#child, 'SIGSTOP')
  }

  resume(): void {
    if (this.#child !== null) signalChild(this.#child, 'SIGCONT')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child !== null) await endChild(this.#child, signal)
  }

  async #spawn(): Promise<void> {
    const { args = [], tls = false, config, within = HERE, holding = {} } = this.#options
    const port = String(this.#port)
    const place = { bind: this.host, ...(tls ? { port: '0', 'tls-port': port } : { port }), dir: this.folder }
    const all = { ...place, ...(args.length === 0 ? DURABLE : {}), ...config }
    const flags = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])
    const child = spawnChild(['redis-server', ...args, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'], within, holding
    })
    this.#child = child
    this.#output = ''
    let timeout: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        const onOutput = (bytes: Buffer): void => {
          this.#output = (this.#output + bytes.toString()).slice(-OUTPUT_CHARS_MAX)
          if (/Ready to accept connections|monitor master|Sentinel ID is/.test(this.#output)) resolve()
        }
        child.stdout!.on('data', onOutput)
        child.stderr!.on('data', onOutput)
        child.once('error', (error: NodeJS.ErrnoException) => {
          reject(error.code === 'ENOENT' ? missing(error) : error)
        })
        child.once('exit', () => { reject(this.#notStarted()) })
        timeout = setTimeout(() => { reject(this.#notStarted()) }, READY_MS)
      })
    } catch (error) {
      signalChild(child, 'SIGKILL')
      throw error
    } finally {
      clearTimeout(timeout)
    }
  }

  #notStarted(): ZonewiseError {
    const facts = { host: this.host, port: this.#port, output: this.#output.trim().split('\n').slice(-5).join(' | ') }
    const taken = /Address already in use|bind: .*in use/i.test(this.#output)
    if (taken) return new ZonewiseError('PORT_IN_USE', 'redis-server cannot listen', facts)
    return new ZonewiseError('REDIS_UNAVAILABLE', 'redis-server did not start', facts)
  }
}

function missing(cause?: Error): ZonewiseError {
  const install = 'apt-get install redis-server, or brew install redis'
  return new ZonewiseError('TOOL_MISSING', 'there is no redis-server on this machine', { install }, cause)
}
