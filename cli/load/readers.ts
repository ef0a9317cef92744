/** Readers of one zone: a connection a partition, answers counted by their first bytes, batches of one known size. */
import { Line } from './line.ts'
import { type LoadClient, type Place, RawClient } from './raw-client.ts'
import { newFetchFrame } from './batch.ts'

export const FETCH_BYTES_MAX = 2 * 2 ** 20

const ERROR_WAIT_MS = 100 // a gateway that has errors only is not asked without pause

export type ReaderOptions = {
  readonly place: Place
  /** The gateways of the zone: one that is lost is asked no more, but another, or it when it is back. */
  readonly again?: readonly Place[]
  readonly topic: string
  readonly partitions: number
  readonly batchBytes: number
  readonly recordCount: number // of a batch
  readonly fromOffsets?: readonly number[] // none: from the start
  readonly endOffsets?: readonly number[] // from there a reader begins again at its first offset
  readonly onLost?: () => void
  readonly onRead?: (partition: number, fromOffset: number, endOffset: number) => void
}

export class Readers {
  bytes = 0
  errors = 0
  readonly offsets: number[]
  readonly #options: ReaderOptions
  readonly #clients: LoadClient[] = []
  readonly #waiting: (NodeJS.Timeout | undefined)[] = [] // by partition
  #stopped = false

  static async open(options: ReaderOptions): Promise<Readers> {
    const readers = new Readers(options)
    await Promise.all(readers.offsets.map(async (_, partition) => {
      const client = await readers.#connect(partition)
      readers.#clients.push(client)
      readers.#fetch(client, partition)
    }))
    return readers
  }

  private constructor(options: ReaderOptions) {
    this.#options = options
    this.offsets = Array.from({ length: options.partitions }, (_, partition) => options.fromOffsets?.[partition] ?? 0)
  }

  /** Whether all partitions can be read now. */
  get isOpen(): boolean {
    return this.#clients.every(({ isOpen }) => isOpen)
  }

  close(): void {
    this.#stopped = true
    this.#clients.forEach((client) => { client.close() })
  }

  async #connect(partition: number): Promise<LoadClient> {
    const { place, again, onLost } = this.#options
    if (again === undefined) return RawClient.open(place, onLost)
    const line: Line = await Line.open({
      places: [place, ...again],
      onLost: () => { clearTimeout(this.#waiting[partition]) },
      onAgain: () => { this.#fetch(line, partition) }
    })
    return line
  }

  #fetch(client: LoadClient, partition: number): void {
    const { topic, batchBytes, recordCount, fromOffsets, endOffsets, onRead } = this.#options
    const fromOffset = this.offsets[partition]!
    client.send(newFetchFrame(topic, partition, fromOffset, FETCH_BYTES_MAX), (head) => {
      if (this.#stopped) return
      const { errorCode, recordBytes } = readHead(head)
      if (errorCode !== 0 || recordBytes % batchBytes !== 0) {
        this.errors += 1
        this.#waiting[partition] = setTimeout(() => { if (!this.#stopped) this.#fetch(client, partition) }, ERROR_WAIT_MS)
        return
      }
      this.bytes += recordBytes
      const endOffset = fromOffset + Math.floor(recordBytes / batchBytes) * recordCount
      this.offsets[partition] = endOffset >= (endOffsets?.[partition] ?? Infinity) ? fromOffsets?.[partition] ?? 0 : endOffset
      if (recordBytes > 0) onRead?.(partition, fromOffset, endOffset)
      this.#fetch(client, partition)
    })
  }
}

/** Of a Fetch answer, version 4, with one partition and no aborted transactions: correlation id, throttle, topics, name, ... */
function readHead(head: Buffer): { readonly errorCode: number; readonly recordBytes: number } {
  const at = 12 + 2 + head.readInt16BE(12) + 4 + 4
  return { errorCode: head.readInt16BE(at), recordBytes: Math.max(0, head.readInt32BE(at + 2 + 8 + 8 + 4)) }
}
