/** A client as a process in the namespace of a zone: what it says goes into the history. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Within } from '#infra/local/within.ts'
import { noteSaid, type Said } from './client-said.ts'
import type { History } from '#test/simulation/check/history.ts'

/** A program that takes BOOTSTRAP NAME TOPIC PARTITIONS as its last arguments. */
export type ClientProgram = { readonly command: readonly string[]; readonly env: NodeJS.ProcessEnv }

export type ClientProcessOptions = {
  readonly program: ClientProgram
  readonly produces: boolean // idempotently, until it is told to stop
  readonly name: string
  readonly bootstrap: string
  readonly topic: string
  readonly partitionCount: number
  readonly elsewhere?: string // gateways of another zone, where the program takes them as one argument more
  readonly within: Within
  readonly history: History
}

/** What the application was told though nothing of it needs to be handled: connections lost, brokers down. */
export type Told = { readonly atMs: number; readonly who: string; readonly code: string }
/** `ackedMs` is of the monotonic clock, `ackedAt` of the one that logs tell. */
export type Delivery = { readonly ackedMs: number; readonly ackedAt: number; readonly ms: number }

export class ClientProcess {
  readonly deliveries: Delivery[] = []
  readonly told: Told[] = []
  readonly #options: ClientProcessOptions
  #child: ChildProcess | null = null
  #ended = false
  #stderr = ''
  done: boolean

  constructor(options: ClientProcessOptions) {
    this.#options = options
    this.done = !options.produces
    if (options.produces) options.history.producers.set(options.name, 'idempotent')
  }

  async run(): Promise<void> {
    const { program, name, bootstrap, topic, partitionCount, elsewhere, within } = this.#options
    const more = elsewhere === undefined ? [] : [elsewhere]
    const command = within([...program.command, bootstrap, name, topic, String(partitionCount), ...more])
    const child = spawn(command.file, [...command.args], { stdio: ['pipe', 'pipe', 'pipe'], env: program.env })
    this.#child = child
    child.stdin.on('error', () => {}) // its end is seen by its exit code
    child.stderr.on('data', (bytes: Buffer) => { this.#stderr += bytes.toString() })
    for await (const line of createInterface({ input: child.stdout })) this.#take(JSON.parse(line) as Said)
    if (!this.#ended) throw new Error(`${name} ended: ${this.#stderr}`)
  }

  get name(): string {
    return this.#options.name
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
