/** A node of a local cluster as a child process: its log in a file, what is worth a look told at once. */
import type { ChildProcess } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, renameSync, rmSync, type WriteStream } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { textLine } from '#cli/platform/pino-log.ts'
import type { NodePlan } from './cluster-plan.ts'
import { endChild, type Holding, signalChild, spawnChild } from './server-child.ts'
import type { Within } from './within.ts'

const ZONEWISE = fileURLToPath(new URL('../../cli/zonewise.mjs', import.meta.url))
const READY_MS_MAX = 60_000
const POLL_MS = 20
const LOG_BYTES_MAX = 64 * 2 ** 20 // and the file before it, under another name
const WARN = 40 // levels of pino

export type NodeProcessOptions = {
  readonly plan: NodePlan
  readonly folder: string // its own
  readonly logFile: string
  readonly flags: readonly string[] // what all nodes have in common
  readonly env: NodeJS.ProcessEnv
  readonly within: Within
  readonly holding: Holding
  /** A warning, an error, or a sentence of a start that failed. */
  readonly say: (line: string) => void
}

export class NodeProcess {
  readonly plan: NodePlan
  readonly #child: ChildProcess
  readonly #endpointsFile: string
  readonly #log: BoundedFile
  #ended: string | null = null

  /** Starts it and waits for nothing. */
  constructor({ plan, folder, logFile, flags, env, within, holding, say }: NodeProcessOptions) {
    this.plan = plan
    this.#endpointsFile = join(folder, 'endpoints.json')
    this.#log = new BoundedFile(logFile)
    mkdirSync(folder, { recursive: true })
    rmSync(this.#endpointsFile, { force: true }) // of the start before
    const { nodeId, zone, host, clientPort, httpPort } = plan
    const command = [
      process.execPath, ZONEWISE, 'start', '--node-id', String(nodeId), '--http', `${host}:${httpPort}`,
      '--listener', `zone=${zone},host=${host},port=${clientPort}`, '--data', folder,
      '--endpoints-file', this.#endpointsFile, '--log-format', 'json', ...flags
    ]
    const onExit = (how: string): void => {
      this.#ended = how
      holding.onExit?.(how)
    }
    this.#child = spawnChild(command, {
      stdio: ['ignore', 'pipe', 'pipe'], env, within, holding: { ...holding, onExit }
    })
    this.#child.on('error', (error) => { this.#ended = error.message })
    const { stdout, stderr } = this.#child
    this.#child.once('close', () => { this.#log.close() })
    for (const output of [stdout, stderr] as (Readable | null)[]) {
      if (output === null) continue
      createInterface({ input: output }).on('line', (line) => {
        this.#log.write(`${line}\n`)
        if (output === stderr) tell(line, (text) => { say(`[node ${nodeId}] ${text}`) })
      })
    }
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** @throws ZonewiseError CLIENT_FAILED: it ended, or is not ready in time; it has said why */
  async ready(): Promise<void> {
    const untilMs = performance.now() + READY_MS_MAX
    while (!existsSync(this.#endpointsFile)) {
      const late = performance.now() > untilMs
      if (this.#ended !== null || late) {
        const facts = { node: this.plan.nodeId, how: this.#ended ?? `not ready after ${READY_MS_MAX} ms` }
        throw new ZonewiseError('NODE_NOT_STARTED', 'a node did not start', facts)
      }
      await new Promise((resolve) => { setTimeout(resolve, POLL_MS) })
    }
  }

  stop(lateMs: number): Promise<void> {
    return endChild(this.#child, 'SIGTERM', lateMs)
  }

  kill(): void {
    signalChild(this.#child, 'SIGKILL')
  }
}

/** A line of the log from a warning on, and whatever is no line of the log. */
function tell(line: string, say: (text: string) => void): void {
  if (!line.startsWith('{')) return say(line)
  const fields = JSON.parse(line) as Readonly<Record<string, unknown>>
  if (Number(fields['level']) >= WARN) say(textLine(fields).trimEnd())
}

/** A file of so many bytes at most, and the one that it replaced. */
class BoundedFile {
  readonly #path: string
  #stream: WriteStream
  #bytes = 0

  constructor(path: string) {
    this.#path = path
    mkdirSync(dirname(path), { recursive: true })
    this.#stream = this.#open()
  }

  write(text: string): void {
    if (this.#bytes > LOG_BYTES_MAX) {
      this.#stream.end()
      this.#stream = this.#open()
      this.#bytes = 0
    }
    this.#bytes += text.length
    this.#stream.write(text)
  }

  close(): void {
    this.#stream.end()
  }

  #open(): WriteStream {
    if (existsSync(this.#path)) renameSync(this.#path, `${this.#path}.1`)
    return createWriteStream(this.#path)
  }
}
