/**
 * The cheapest Kafka client there can be: prebuilt frames out, answers told apart by their order only. Of each answer
 * the first bytes are kept, the rest is counted: the load must not cost more than the server.
 */
import { connect, type Socket } from 'node:net'

const SLAB_BYTES = 1024 * 1024
const KEPT_BYTES = 16 * 1024
const LENGTH_BYTES = 4
const CONNECT_MS_MAX = 3_000

/** What a load needs of its connection: a raw one, or one that is opened again. */
export type LoadClient = {
  readonly isOpen: boolean
  readonly inFlight: number
  send(frame: Uint8Array, onAnswer: OnAnswer): void
  close(): void
}

/** `head` is valid during the call only: the first bytes of the answer after its length. */
export type OnAnswer = (head: Buffer, bytes: number) => void
export type Place = { readonly host: string; readonly port: number }

const slab = Buffer.allocUnsafeSlow(SLAB_BYTES) // sockets are read one after the other

function lostWithoutReason(): never {
  throw new Error('the server closed a connection of the load')
}

export class RawClient implements LoadClient {
  readonly #socket: Socket
  readonly #waiting: OnAnswer[] = []
  #waitingHead = 0
  readonly #kept = Buffer.allocUnsafeSlow(LENGTH_BYTES + KEPT_BYTES)
  #at = 0 // of the answer under way, its length included
  #closing = false
  #lost = false
  #bytesPerSecond = Infinity

  /** `onLost`: the server closed the connection; without it that is a bug of the load. */
  static open(place: Place, onLost: () => void = lostWithoutReason): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket: Socket = connect({
        ...place, noDelay: true, timeout: CONNECT_MS_MAX,
        onread: { buffer: slab, callback: (count, buffer) => { client.#read(buffer as Buffer, count); return true } }
      })
      socket.once('error', reject)
      const client = new RawClient(socket, onLost)
      socket.once('timeout', () => { socket.destroy(new Error(`no connection within ${CONNECT_MS_MAX} ms`)) })
      socket.once('connect', () => {
        socket.setTimeout(0)
        resolve(client)
      })
    })
  }

  constructor(socket: Socket, onLost: () => void) {
    this.#socket = socket
    socket.once('connect', () => {
      socket.on('error', () => {}) // its close is heard
      socket.once('close', () => {
        this.#lost = true
        if (!this.#closing) onLost()
      })
    })
  }

  get isOpen(): boolean {
    return !this.#lost
  }

  get inFlight(): number {
    return this.#waiting.length - this.#waitingHead
  }

  send(frame: Uint8Array, onAnswer: OnAnswer): void {
    this.#waiting.push(onAnswer)
    this.#socket.write(frame)
  }

  /** Sends a frame whose answer fits in what is kept. */
  ask(frame: Uint8Array): Promise<Buffer> {
    return new Promise((resolve) => {
      this.send(frame, (head, bytes) => {
        if (bytes > head.length) throw new Error(`an answer of ${bytes} bytes is not kept whole`)
        resolve(Buffer.from(head))
      })
    })
  }

  /** Stops reading, for good: a client that hangs. The server may close it. */
  freeze(): void {
    this.#mayEnd()
    this.#socket.pause()
  }

  /** Reads no faster than this from now on. The server may close it. */
  slowDown(bytesPerSecond: number): void {
    this.#mayEnd()
    this.#bytesPerSecond = bytesPerSecond
  }

  close(): void {
    this.#closing = true
    this.#socket.destroy()
  }

  #mayEnd(): void {
    this.#closing = true
  }

  #read(bytes: Buffer, count: number): void {
    if (this.#bytesPerSecond < Infinity) {
      this.#socket.pause()
      setTimeout(() => { this.#socket.resume() }, count / this.#bytesPerSecond * 1_000)
    }
    for (let at = 0; at < count;) {
      const length = this.#at < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + this.#kept.readInt32BE(0)
      const taken = Math.min(count - at, length - this.#at)
      if (this.#at < this.#kept.length) bytes.copy(this.#kept, this.#at, at, Math.min(at + taken, at + this.#kept.length - this.#at))
      this.#at += taken
      at += taken
      if (this.#at <= LENGTH_BYTES || this.#at < LENGTH_BYTES + this.#kept.readInt32BE(0)) continue
      const answerBytes = this.#at - LENGTH_BYTES
      this.#at = 0
      const onAnswer = this.#waiting[this.#waitingHead++]!
      if (this.#waitingHead === 1_024) {
        this.#waiting.splice(0, this.#waitingHead)
        this.#waitingHead = 0
      }
      onAnswer(this.#kept.subarray(LENGTH_BYTES, LENGTH_BYTES + Math.min(answerBytes, KEPT_BYTES)), answerBytes)
    }
  }
}
