/**
 * A redis-server of this machine that keeps what it acknowledged, for tests and for a cluster on one machine: started
 * in a folder, stopped, killed, paused, and started again on what is there.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

/** Nothing is acknowledged before it is on the disk, nothing evicted, nothing saved beside the log of commands. */
const DURABLE: Readonly<Record<string, string>> = {
  appendonly: 'yes', appendfsync: 'always', 'no-appendfsync-on-rewrite': 'no', 'maxmemory-policy': 'noeviction',
  save: ''
}

const READY_MS = 30_000
const OUTPUT_CHARS_MAX = 16_384 // the newest are kept, to explain a start that failed
const PORT_TRIES = 5

/** Servers do not outlive the process that started them, unless it is killed itself. */
const running = new Set<ChildProcess>()
process.once('exit', () => { for (const child of running) child.kill('SIGKILL') })

export type RedisServerOptions = {
  readonly folder: string // made if missing; its data is kept
  readonly host?: string
  readonly port?: number // 0, the default: any free one, the same at every later start
  readonly tls?: boolean // the port speaks TLS only; `config` names the certificates
  readonly config?: Readonly<Record<string, string>> // over the durable one
  readonly args?: readonly string[] // first, as `CONFIG_FILE --sentinel`
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
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGCONT')
    child.kill(signal)
    await exited
  }

  async #spawn(): Promise<void> {
    const { args = [], tls = false, config } = this.#options
    const port = String(this.#port)
    const place = { bind: this.host, ...(tls ? { port: '0', 'tls-port': port } : { port }), dir: this.folder }
    const all = { ...place, ...(args.length === 0 ? DURABLE : {}), ...config }
    const flags = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])
    const child = spawn('redis-server', [...args, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    this.#output = ''
    running.add(child)
    child.once('exit', () => { running.delete(child) })
    let timeout: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        const onOutput = (bytes: Buffer): void => {
          this.#output = (this.#output + bytes.toString()).slice(-OUTPUT_CHARS_MAX)
          if (/Ready to accept connections|monitor master|Sentinel ID is/.test(this.#output)) resolve()
        }
        child.stdout.on('data', onOutput)
        child.stderr.on('data', onOutput)
        child.once('error', (error: NodeJS.ErrnoException) => {
          reject(error.code === 'ENOENT' ? missing(error) : error)
        })
        child.once('exit', () => { reject(this.#notStarted()) })
        timeout = setTimeout(() => { reject(this.#notStarted()) }, READY_MS)
      })
    } catch (error) {
      child.kill('SIGKILL')
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

function missing(cause: Error): ZonewiseError {
  const install = 'apt-get install redis-server, or brew install redis'
  return new ZonewiseError('TOOL_MISSING', 'there is no redis-server on this machine', { install }, cause)
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address === 'object' && address !== null) return address.port
  throw new ZonewiseError('PORT_IN_USE', 'no port is free', { host })
}
