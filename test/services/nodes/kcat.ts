/** kcat (librdkafka) as producer of numbered lines at a steady pace, and as a group's consumer of them. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const EVERY_MS = 20

/** What it says of a lost connection is no error of a request: it connects again. */
const CONNECTION = /(Disconnected|Connection (refused|reset)|connection closed|Receive failed|Connect to .* failed)/

const running = new Set<ChildProcessWithoutNullStreams>()

/** For the end of a test that failed. */
export function endKcats(): void {
  for (const child of running) child.kill('SIGKILL')
}

type Kcat = { readonly child: ChildProcessWithoutNullStreams; readonly errors: () => string[] }

function start(args: readonly string[]): Kcat {
  const child = spawn('kcat', ['-X', 'reconnect.backoff.max.ms=1000', ...args])
  running.add(child)
  child.on('close', () => { running.delete(child) })
  child.stdin.on('error', () => {}) // it may have ended
  let text = ''
  child.stderr.on('data', (bytes: Buffer) => { text += bytes.toString() })
  return {
    child,
    errors: () => text.split('\n').filter((line) => /error|fail|FATAL/i.test(line) && !CONNECTION.test(line))
  }
}

const closed = (child: ChildProcessWithoutNullStreams): Promise<number | null> =>
  new Promise((resolve) => { child.on('close', resolve) })

export class KcatProducer {
  readonly #kcat: Kcat
  readonly #pace: NodeJS.Timeout
  sent = 0

  constructor(servers: string, topic: string) {
    const settings = ['-X', 'linger.ms=5', '-X', 'enable.idempotence=true']
    this.#kcat = start(['-P', '-b', servers, '-t', topic, ...settings])
    this.#pace = setInterval(() => {
      this.#kcat.child.stdin.write(`${this.sent} ${Date.now()}\n`)
      this.sent += 1
    }, EVERY_MS).unref()
  }

  /** Sends what waits. @returns lines that tell of an error. */
  async end(): Promise<string[]> {
    clearInterval(this.#pace)
    const ended = closed(this.#kcat.child)
    this.#kcat.child.stdin.end()
    const code = await ended
    return [...this.#kcat.errors(), ...(code === 0 ? [] : [`exit code ${code}`])]
  }
}

export class KcatConsumer {
  readonly #kcat: Kcat
  readonly counts = new Map<number, number>() // by number of the line
  delayMsMax = 0 // from being handed to the producer to being read here

  constructor(servers: string, topic: string, group: string) {
    const settings = ['-X', 'auto.offset.reset=earliest', '-X', 'topic.metadata.refresh.interval.ms=1000']
    this.#kcat = start(['-b', servers, ...settings, '-u', '-G', group, topic])
    createInterface(this.#kcat.child.stdout).on('line', (line) => {
      const [number, sentMs] = line.split(' ').map(Number)
      this.counts.set(number!, (this.counts.get(number!) ?? 0) + 1)
      this.delayMsMax = Math.max(this.delayMsMax, Date.now() - sentMs!)
    })
  }

  /** @returns lines that tell of an error. */
  async end(): Promise<string[]> {
    const ended = closed(this.#kcat.child)
    this.#kcat.child.kill('SIGTERM')
    await ended
    return this.#kcat.errors()
  }
}
