/** A client on the wire for tests: one socket, our own codec, or any bytes at all. */
import { connect, type Socket } from 'node:net'
import type { Api } from '#shared/wire/api-registry.ts'
import { decodeResponseFrame, encodeRequestFrame, FrameSplitter } from '#shared/wire/framing.ts'

const FRAME_BYTES_MAX = 2 ** 27

export class WireClient {
  readonly #socket: Socket
  readonly #splitter = new FrameSplitter(FRAME_BYTES_MAX)
  readonly #frames: Uint8Array[] = []
  #waiting: ((frame: Uint8Array | null) => void)[] = []
  #ended = false
  #correlationId = 0

  static async connect(port: number, host = '127.0.0.1'): Promise<WireClient> {
    const socket = connect(port, host)
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new WireClient(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => {
      for (const frame of this.#splitter.push(bytes)) {
        const waiting = this.#waiting.shift()
        if (waiting === undefined) this.#frames.push(frame)
        else waiting(frame)
      }
    })
    const end = (): void => {
      this.#ended = true
      for (const waiting of this.#waiting.splice(0)) waiting(null)
    }
    socket.on('end', end)
    socket.on('close', end)
    socket.on('error', end)
  }

  /** The bytes of one request. */
  frame<Request>(api: Api<Request, unknown>, version: number, body: Request, clientId: string | null = 'wire'): Buffer {
    this.#correlationId += 1
    return Buffer.concat(encodeRequestFrame(api, { version, correlationId: this.#correlationId, clientId }, body))
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** The next answer, or null: the server closed the connection. */
  next(): Promise<Uint8Array | null> {
    const frame = this.#frames.shift()
    if (frame !== undefined) return Promise.resolve(frame)
    if (this.#ended) return Promise.resolve(null)
    return new Promise((resolve) => { this.#waiting.push(resolve) })
  }

  /** Sends one request and reads its answer. @throws if the server closes instead. */
  async call<Request, Response>(api: Api<Request, Response>, version: number, body: Request): Promise<Response> {
    this.send(this.frame(api, version, body))
    const frame = await this.next()
    if (frame === null) throw new Error(`the server closed the connection upon ${api.name} ${version}`)
    return decodeResponseFrame(api, version, frame).body
  }

  pause(): void { this.#socket.pause() }
  resume(): void { this.#socket.resume() }
  close(): void { this.#socket.destroy() }
}
