/** Splits a stream of bytes into lines at `\n`, without decoding: a record's value is whatever stands between. */
const NEWLINE = 0x0a

export class Lines {
  #rest: Buffer[] = [] // of a line whose end has not come

  /** The lines that `bytes` completes; parts of `bytes` are referenced, not copied. */
  push(bytes: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const part = bytes.subarray(start, end)
      lines.push(this.#rest.length === 0 ? part : Buffer.concat([...this.#rest, part]))
      this.#rest = []
      start = end + 1
    }
    if (start < bytes.length) this.#rest.push(bytes.subarray(start))
    return lines
  }

  /** The last line, where no newline ends it. */
  end(): Buffer | null {
    const line = this.#rest.length === 0 ? null : Buffer.concat(this.#rest)
    this.#rest = []
    return line
  }
}
