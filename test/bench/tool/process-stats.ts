/** What the operating system says of a process (Linux). */
import { readdirSync, readFileSync } from 'node:fs'
import { loadavg } from 'node:os'

const TICKS_PER_SECOND = 100 // USER_HZ of every Linux that Node runs on

/** User and system time since the process started, all threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? 0) * 1_024
}

export function threadCount(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length
}

export function load(): string {
  return loadavg().map((one) => one.toFixed(1)).join(' ')
}

const SAMPLE_MS = 200

/** Watches the resident memory of a process. */
export class MemoryWatch {
  readonly #pid: number
  readonly #timer: NodeJS.Timeout
  #most = 0

  constructor(pid: number) {
    this.#pid = pid
    this.#timer = setInterval(() => { this.#sample() }, SAMPLE_MS)
  }

  /** The most since the last call, bytes; none is missed by a call that comes at once. */
  takeMost(): number {
    this.#sample()
    const most = this.#most
    this.#most = 0
    return most
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #sample(): void {
    this.#most = Math.max(this.#most, residentBytes(this.#pid))
  }
}
