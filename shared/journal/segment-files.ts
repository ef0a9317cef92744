/**
 * The files of a file journal. `segment-<number>` are in use, in order of number without a gap; `free-<n>` are
 * written through with zeros or old frames and wait to be used again, because overwriting costs a third of growing.
 * Every change of a name is durable before anything relies on it; segments go oldest first only.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { Files, OpenFile } from '../runtime/files.ts'
import type { Chance } from '../runtime/runtime.ts'
import { aligned, encodeSegmentHeader, SEGMENT } from './segment-format.ts'

const ZEROS = new Uint8Array(1024 * 1024)
const NUMBER_DIGITS = 12
const FREE_MAX = 2 // files kept for reuse; more are removed

export type Segment = {
  readonly number: number
  readonly path: string // the file was opened under another name, if it was a spare
  readonly file: OpenFile
  readonly life: Uint8Array
  readonly bytes: number // of the file
  endPosition: number // where the next frame goes
  liveBytes: number // of groups that are still needed, with their headers
  readers: number // reads in flight: the file is not used again before they end
  damaged: boolean // somebody may miss what it held: it is kept, and so is all behind it
}

export class SegmentFiles {
  readonly #files: Files
  readonly #folder: string
  readonly #chance: Chance
  readonly #segmentBytes: number
  readonly #free: string[] = [] // paths
  #freeCount = 0
  #preparing: Promise<void> | null = null

  constructor(files: Files, folder: string, chance: Chance, segmentBytes: number) {
    this.#files = files
    this.#folder = folder
    this.#chance = chance
    this.#segmentBytes = aligned(segmentBytes)
  }

  /** Takes stock: numbers of the segments, ascending. Leftovers of a crash are removed. */
  async scan(): Promise<number[]> {
    const numbers: number[] = []
    for (const { name } of (await this.#files.readFolder(this.#folder)) ?? []) {
      const segment = /^segment-(\d+)$/.exec(name)
      const free = /^free-(\d+)$/.exec(name)
      if (segment !== null) numbers.push(Number(segment[1]))
      if (free === null) continue
      const path = `${this.#folder}/${name}`
      this.#freeCount = Math.max(this.#freeCount, Number(free[1]) + 1)
      const usable = this.#free.length < FREE_MAX && (await this.#files.info(path))?.bytes === this.#segmentBytes
      if (usable) this.#free.push(path)
      else await this.#files.remove(path) // other size: the setting changed, or it was never written through
    }
    return numbers.sort((a, b) => a - b)
  }

  pathOf(number: number): string {
    return `${this.#folder}/segment-${String(number).padStart(NUMBER_DIGITS, '0')}`
  }

  /**
   * A segment that is ready for its first frame, at least `bytesMin` long. Its name, header and `frames` (made by the
   * caller for the new life) are durable when it resolves; a segment of the same number is replaced atomically.
   * @throws ZonewiseError JOURNAL_FAILED: it may be there or not. STORE_*: it is not, and a later try may succeed.
   */
  async make(
    number: number, firstFrameSeq: number, bytesMin: number,
    frames: (life: Uint8Array) => readonly Uint8Array[] = () => []
  ): Promise<Segment> {
    await this.#preparing // a spare may be just in the making
    const bytes = Math.max(this.#segmentBytes, aligned(bytesMin))
    const spare = bytes === this.#segmentBytes ? this.#free.pop() : undefined
    const path = spare ?? (await this.#writeThrough(bytes))
    const file = await this.#files.open(path, 'write')
    if (file === null) throw new ZonewiseError('STORE_UNAVAILABLE', 'a journal file is gone', { path })
    try {
      const life = new Uint8Array(this.#chance.bytes(SEGMENT.lifeBytes))
      const header = { version: SEGMENT.version, life, number, firstFrameSeq, fileBytes: bytes }
      const content = [encodeSegmentHeader(header), ...frames(life)]
      await file.write(0, content)
      await file.sync()
      await this.#name(path, number)
      const endPosition = content.reduce((sum, chunk) => sum + chunk.byteLength, 0)
      const counts = { liveBytes: 0, readers: 0, damaged: false }
      return { number, path: this.pathOf(number), file, life, bytes, endPosition, ...counts }
    } catch (cause) {
      await file.close()
      await this.#files.remove(path).catch(() => {}) // or each try would leave one behind; the first failure says more
      throw cause
    }
  }

  /** Makes a spare ahead of time, in the background; without one `make` writes its own. */
  prepare(): void {
    if (this.#preparing !== null || this.#free.length > 0) return
    this.#preparing = this.#writeThrough(this.#segmentBytes)
      .then((path) => { this.#free.push(path) }, () => {}) // a full disk shows when the segment is needed
      .finally(() => { this.#preparing = null })
  }

  /** Lets go of the oldest segment; resolves when that is durable. */
  async release(segment: Segment): Promise<void> {
    await segment.file.close()
    const path = this.pathOf(segment.number)
    const keep = segment.bytes === this.#segmentBytes && this.#free.length < FREE_MAX
    const free = this.#freePath()
    if (keep) await this.#files.rename(path, free)
    else await this.#files.remove(path)
    await this.#files.syncFolder(this.#folder)
    if (keep) this.#free.push(free)
  }

  /** Waits for work in the background. */
  async close(): Promise<void> {
    await this.#preparing
  }

  /** @throws ZonewiseError JOURNAL_FAILED: it may have its name or not, so the log must not go on without it. */
  async #name(path: string, number: number): Promise<void> {
    try {
      await this.#files.rename(path, this.pathOf(number))
      await this.#files.syncFolder(this.#folder)
    } catch (cause) {
      throw new ZonewiseError('JOURNAL_FAILED', 'a journal segment could not be named', { path, number }, cause)
    }
  }

  #freePath(): string {
    return `${this.#folder}/free-${this.#freeCount++}`
  }

  async #writeThrough(bytes: number): Promise<string> {
    const path = this.#freePath()
    const file = await this.#files.create(path)
    try {
      for (let at = 0; at < bytes; at += ZEROS.byteLength)
        await file.write(at, [ZEROS.subarray(0, Math.min(ZEROS.byteLength, bytes - at))])
      await file.sync()
    } catch (cause) {
      await this.#files.remove(path).catch(() => {}) // the first failure says more
      throw cause
    } finally {
      await file.close()
    }
    return path
  }
}
