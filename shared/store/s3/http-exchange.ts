/** One HTTP request and its answer on one connection: the body goes out by reference, the answer into one block. */
import type { Dispatcher } from 'undici'
import { type MemoryPool, release } from '../../binary/memory-pool.ts'

export type HttpRequest = {
  readonly method: 'GET' | 'PUT' | 'HEAD' | 'DELETE' | 'POST'
  readonly path: string // with its query
  readonly headers: Readonly<Record<string, string>>
  readonly body: readonly Uint8Array[] | null // not to be changed until the reply has settled
  readonly answerBytesMax: number // of a successful answer; a longer one fails
  readonly memory: MemoryPool | null // where a successful answer comes to lie, held by who gets it; null: anywhere
}

export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>
export type HttpReply = { readonly status: number; readonly headers: HttpHeaders; readonly body: Uint8Array }

const ERROR_BODY_BYTES_MAX = 64 * 1024
const NOTHING = new Uint8Array(0)

/** The answer is longer than it may be, or shorter than it said. */
export class AnswerLengthError extends Error {
  readonly code: 'AnswerTooLong' | 'AnswerTooShort'

  constructor(code: AnswerLengthError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** The exchange was given up by who asked for it. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError'
}

export class HttpExchange implements Dispatcher.DispatchHandler {
  readonly reply: Promise<HttpReply>
  readonly #answerBytesMax: number
  readonly #head: boolean
  readonly #memory: MemoryPool | null
  readonly #whenSent: (then: () => void) => void
  readonly #resolve: (reply: HttpReply) => void
  readonly #reject: (error: Error) => void
  #controller: Dispatcher.DispatchController | null = null
  #cancelled: Error | null = null
  #over = false
  #status = 0
  #headers: HttpHeaders = {}
  #body: Uint8Array = NOTHING // as long as the answer says; where it says nothing, the parts are joined at the end
  #parts: Uint8Array[] | null = null
  #filled = 0
  #bytesMax = 0

  /** `whenSent` calls back when nothing reads the body any more: an answer may come before all of it has gone. */
  constructor({ method, answerBytesMax, memory }: HttpRequest, whenSent: (then: () => void) => void) {
    const { promise, resolve, reject } = Promise.withResolvers<HttpReply>()
    this.reply = promise
    this.#resolve = resolve
    this.#reject = reject
    this.#answerBytesMax = answerBytesMax
    this.#head = method === 'HEAD'
    this.#memory = memory
    this.#whenSent = whenSent
  }

  /** Gives up: closes the connection if the request is under way, so that nothing reads the body any more. */
  cancel(): void {
    this.#cancelled ??= new CancelledError('given up')
    this.#controller?.abort(this.#cancelled)
    this.#fail(this.#cancelled)
  }

  get cancelled(): boolean {
    return this.#cancelled !== null
  }

  /** true: it had a connection. */
  get started(): boolean {
    return this.#controller !== null
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#cancelled !== null) controller.abort(this.#cancelled)
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: HttpHeaders): void {
    if (status < 200 || this.#over) return
    this.#status = status
    this.#headers = headers
    this.#bytesMax = status < 300 ? this.#answerBytesMax : ERROR_BODY_BYTES_MAX
    const length = this.#head ? 0 : lengthOf(headers)
    if (length === null) this.#parts = []
    else if (length > this.#bytesMax)
      controller.abort(new AnswerLengthError('AnswerTooLong', `${length} bytes instead of at most ${this.#bytesMax}`))
    else if (length > 0) this.#body = this.#take(length)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#over) return
    const filled = this.#filled + chunk.byteLength
    const bytesMax = this.#parts === null ? this.#body.byteLength : this.#bytesMax
    if (filled > bytesMax) {
      controller.abort(new AnswerLengthError('AnswerTooLong', `more than ${bytesMax} bytes`))
      return
    }
    if (this.#parts === null) this.#body.set(chunk, this.#filled)
    else this.#parts.push(chunk)
    this.#filled = filled
  }

  onResponseEnd(): void {
    if (this.#over) return
    if (this.#parts !== null) this.#join(this.#parts)
    const body = this.#body
    if (this.#filled < body.byteLength) {
      this.#fail(new AnswerLengthError('AnswerTooShort', `${this.#filled} of ${body.byteLength} bytes`))
      return
    }
    this.#over = true
    this.#whenSent(() => { this.#resolve({ status: this.#status, headers: this.#headers, body }) })
  }

  onResponseError(_: unknown, error: Error): void {
    this.#fail(error)
  }

  #fail(error: Error): void {
    if (this.#over) return
    this.#over = true
    release(this.#body)
    this.#reject(error)
  }

  #take(length: number): Uint8Array {
    return this.#memory === null || this.#status >= 300 ? Buffer.allocUnsafeSlow(length) : this.#memory.take(length)
  }

  #join(parts: readonly Uint8Array[]): void {
    this.#body = this.#take(this.#filled)
    let at = 0
    for (const part of parts) {
      this.#body.set(part, at)
      at += part.byteLength
    }
  }
}

function lengthOf(headers: HttpHeaders): number | null {
  const text = headers['content-length']
  const length = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : NaN
  return Number.isSafeInteger(length) ? length : null
}
