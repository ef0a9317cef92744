/** Readers of one zone: a connection a partition, answers counted by their first bytes, batches of one known size. */
import { RawClient, type Place } from './raw-client.ts'
import { newFetchFrame } from './batch.ts'

export const FETCH_BYTES_MAX = 2 * 2 ** 20

const ERROR_WAIT_MS = 100 // a gateway that has errors only is not asked without pause

export type ReaderOptions = {
  readonly place: Place
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
  readonly #clients: readonly RawClient[]
  #stopped = false

  static async open(options: ReaderOptions): Promise<Readers> {
    const clients = await Promise.all(Array.from({ length: options.partitions }, () =>
      RawClient.open(options.place, options.onLost)))
    return new Readers(options, clients)
  }

  constructor(options: ReaderOptions, clients: readonly RawClient[]) {
    this.#options = options
    this.#clients = clients
    this.offsets = Array.from({ length: options.partitions }, (_, partition) => options.fromOffsets?.[partition] ?? 0)
    clients.forEach((client, partition) => { this.#fetch(client, partition) })
  }

  close(): void {
    this.#stopped = true
    this.#clients.forEach((client) => { client.close() })
  }

  #fetch(client: RawClient, partition: number): void {
    const { topic, batchBytes, recordCount, fromOffsets, endOffsets, onRead } = this.#options
    const fromOffset = this.offsets[partition]!
    client.send(newFetchFrame(topic, partition, fromOffset, FETCH_BYTES_MAX), (head) => {
      if (this.#stopped) return
      const { errorCode, recordBytes } = readHead(head)
      if (errorCode !== 0 || recordBytes % batchBytes !== 0) {
        this.errors += 1
        setTimeout(() => { if (!this.#stopped) this.#fetch(client, partition) }, ERROR_WAIT_MS)
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
