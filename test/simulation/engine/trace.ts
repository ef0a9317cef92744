/** Everything that happens, as one line each, hashed: two runs are the same if their digests are. */
import { createHash } from 'node:crypto'

const FLUSH_CHARS = 1 << 16

export class Trace {
  readonly #hash = createHash('sha256')
  readonly #echo: ((line: string) => void) | null
  #pending = ''
  count = 0

  /** `echo` gets each line, for those who look for a bug. */
  constructor(echo: ((line: string) => void) | null = null) {
    this.#echo = echo
  }

  add(line: string): void {
    this.count += 1
    this.#pending += `${line}\n`
    this.#echo?.(line)
    if (this.#pending.length > FLUSH_CHARS) this.#flush()
  }

  /** 64 hex digits; nothing may be added after. */
  digest(): string {
    this.#flush()
    return this.#hash.digest('hex')
  }

  #flush(): void {
    this.#hash.update(this.#pending)
    this.#pending = ''
  }
}
