/** One connection of a simulated client: requests pipelined, answers matched and held to their order. */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Network, Socket } from '#shared/runtime/network.ts'
import { type Cancel, sleep, type Timer } from '#shared/runtime/runtime.ts'
import type { Api } from '#shared/wire/api-registry.ts'
import { decodeResponseFrame, encodeRequestFrame, FrameSplitter } from '#shared/wire/framing.ts'

const FRAME_BYTES_MAX = 64 * 1024 * 1024

export type Address = { readonly host: string; readonly port: number }

/** The connection is gone: what was asked may have happened. */
export class ConnectionLost extends Error {}

type Asked = {
  readonly correlationId: number; readonly answer: (frame: Uint8Array) => void; readonly fail: (error: Error) => void;
  readonly cancel: Cancel
}

export class Connection {
  readonly #timer: Timer
  readonly #clientId: string
  readonly #splitter = new FrameSplitter(FRAME_BYTES_MAX)
  readonly #asked: Asked[] = []
  readonly #onWrong: (what: string) => void
  #socket: Socket | null = null
  #correlationId = 0
  lost = false

  /** `onWrong` gets what no server may do. */
  constructor(timer: Timer, clientId: string, onWrong: (what: string) => void) {
    this.#timer = timer
    this.#clientId = clientId
    this.#onWrong = onWrong
  }

  /** @throws ConnectionLost */
  async open(network: Network, { host, port }: Address, timeoutMs: number): Promise<void> {
    try {
      const connecting = network.connect(host, port, {
        data: (bytes) => this.#take(bytes), drain: () => {},
        closed: (error) => this.#lose(error?.message ?? 'closed by the server')
      })
      const late = sleep(this.#timer, timeoutMs).then(() => { throw new ConnectionLost('not connected in time') })
      late.catch(() => {})
      this.#socket = await Promise.race([connecting, late])
    } catch (error) {
      this.lost = true
      throw new ConnectionLost('not connected', { cause: error })
    }
    if (this.lost) throw new ConnectionLost('lost at once')
  }

  /** Asks and waits; a request not answered in time ends the connection, as clients do. @throws ConnectionLost */
  call<Request, Response>(
    api: Api<Request, Response>, version: number, body: Request, timeoutMs: number
  ): Promise<Response> {
    if (this.lost || this.#socket === null) return Promise.reject(new ConnectionLost('not connected'))
    const correlationId = this.#correlationId++
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    this.#asked.push({
      correlationId, fail: reject,
      answer: (frame) => {
        const answered = decodeResponseFrame(api, version, frame)
        if (answered.correlationId !== correlationId)
          this.#onWrong(`answer ${answered.correlationId} to ${api.name} ${correlationId}`)
        resolve(answered.body)
      },
      cancel: this.#timer.after(timeoutMs, () => this.close(`${api.name} was not answered in time`))
    })
    this.#socket.write(encodeRequestFrame(api, { version, correlationId, clientId: this.#clientId }, body))
    return promise
  }

  close(reason = 'closed'): void {
    this.#socket?.destroy()
    this.#lose(reason)
  }

  #take(bytes: Uint8Array): void {
    if (this.lost) return
    try {
      for (const frame of this.#splitter.push(Uint8Array.from(bytes))) {
        const asked = this.#asked.shift()
        if (asked === undefined) return this.#onWrong('answer to nothing')
        asked.cancel()
        asked.answer(frame)
      }
    } catch (error) {
      if (!(error instanceof ZonewiseError)) throw error
      this.#onWrong(`an answer cannot be read: ${error.message}`)
      this.close('garbage')
    }
  }

  #lose(reason: string): void {
    if (this.lost) return
    this.lost = true
    for (const { fail, cancel } of this.#asked.splice(0)) {
      cancel()
      fail(new ConnectionLost(reason))
    }
  }
}
