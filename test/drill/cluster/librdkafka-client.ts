/** Runs librdkafka.py in the namespace of a zone and takes what it says into the history. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Within } from '#infra/local/within.ts'
import { noteSaid, type Said } from './librdkafka-said.ts'
import type { LibrdkafkaPython } from './librdkafka-python.ts'
import type { History } from '#test/simulation/check/history.ts'

const SCRIPT = fileURLToPath(new URL('librdkafka.py', import.meta.url))

export type LibrdkafkaOptions = {
  readonly python: LibrdkafkaPython
  readonly name: string
  readonly bootstrap: string
  readonly topic: string
  readonly partitionCount: number
  readonly within: Within
  readonly history: History
}

/** What the application was told though nothing of it needs to be handled: connections lost, brokers down. */
export type Told = { readonly atMs: number; readonly who: string; readonly code: string }
/** `ackedMs` is of the monotonic clock, `ackedAt` of the one that logs tell. */
export type Delivery = { readonly ackedMs: number; readonly ackedAt: number; readonly ms: number }

export class LibrdkafkaClient {
  readonly deliveries: Delivery[] = []
  readonly told: Told[] = []
  readonly #options: LibrdkafkaOptions
  #child: ChildProcess | null = null
  #ended = false
  #stderr = ''
  done = false

  constructor(options: LibrdkafkaOptions) {
    this.#options = options
    options.history.producers.set(options.name, 'idempotent')
  }

  async run(): Promise<void> {
    const { python, name, bootstrap, topic, partitionCount, within } = this.#options
    const command = within([python.python, SCRIPT, bootstrap, name, topic, String(partitionCount)])
    const child = spawn(command.file, [...command.args], { stdio: ['pipe', 'pipe', 'pipe'], env: python.env })
    this.#child = child
    child.stdin.on('error', () => {}) // its end is seen by its exit code
    child.stderr.on('data', (bytes: Buffer) => { this.#stderr += bytes.toString() })
    for await (const line of createInterface({ input: child.stdout })) this.#take(JSON.parse(line) as Said)
    if (!this.#ended) throw new Error(`${name} ended: ${this.#stderr}`)
  }

  stop(): void {
    this.#child?.stdin?.write('stop\n')
  }

  abandon(): void {
    this.#ended = true
    this.#child?.kill('SIGKILL')
  }

  #take(said: Said): void {
    const { name, topic, history } = this.#options
    noteSaid(said, { name, topic }, history)
    if (said.kind === 'acked') this.deliveries.push({ ackedMs: performance.now(), ackedAt: Date.now(), ms: said.ms })
    if (said.kind === 'error') this.told.push({ atMs: performance.now(), who: `${name} ${said.who}`, code: said.code })
    if (said.kind === 'done') this.done = true
  }
}
