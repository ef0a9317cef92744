/** Splits a stream of bytes into lines at `\n`, without decoding: a record's value is whatever stands between. */
const NEWLINE = 0x0a

export class Lines {
  #rest: Buffer[] = [] // of a line whose end has not come
  #restBytes = 0

  /** The lines that `bytes` completes; parts of `bytes` are referenced, not copied. */
  push(bytes: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      lines.push(this.#complete(bytes.subarray(start, end)))
      start = end + 1
    }
    if (start < bytes.length) {
      this.#rest.push(bytes.subarray(start))
      this.#restBytes += bytes.length - start
    }
    return lines
  }

  /** Bytes held of a line whose end has not come: the caller bounds them. */
  get restBytes(): number {
    return this.#restBytes
  }

  /** The last line, where no newline ends it. */
  end(): Buffer | null {
    return this.#rest.length === 0 ? null : this.#complete(Buffer.alloc(0))
  }

  #complete(part: Buffer): Buffer {
    if (this.#rest.length === 0) return part
    const line = Buffer.concat([...this.#rest, part])
    this.#rest = []
    this.#restBytes = 0
    return line
  }
}
