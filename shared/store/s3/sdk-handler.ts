/** Sends what the SDK builds over our connections. An answer that is no success is thrown as what it says. */
import { Readable } from 'node:stream'
import type { CountAttempt } from '../store-attempt.ts'
import type { Connections } from './connections.ts'
import { type Failure, failureOf } from './failure-plan.ts'
import { CancelledError, type HttpReply } from './http-exchange.ts'

/** What the SDK hands over; it comes signed. */
type SdkRequest = {
  readonly method: string
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>
  readonly headers: Readonly<Record<string, string>>
}
type SdkOptions = { readonly abortSignal?: AbortSignal }
type SdkResponse = { readonly statusCode: number; readonly headers: Record<string, string>; readonly body: Readable }

const ANSWER_BYTES_MAX = 16 * 2 ** 20 // 1,000 keys of 1,024 bytes, escaped, with all that stands around them

export class FailedReply extends Error {
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}

export class SdkHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' } as const
  readonly #countAttempt: CountAttempt
  #connections: Connections | null = null
  #path = ''

  constructor(countAttempt: CountAttempt) {
    this.#countAttempt = countAttempt
  }

  /** Nothing is sent before. `path`: what stands before the key. */
  attach(connections: Connections, path: string): void {
    this.#connections = connections
    this.#path = path
  }

  async handle(request: SdkRequest, { abortSignal }: SdkOptions = {}): Promise<{ response: SdkResponse }> {
    if (abortSignal?.aborted === true) throw new CancelledError('given up')
    const method = request.method as 'GET' | 'HEAD' | 'DELETE'
    const query = queryOf(request.query ?? {})
    const call = method === 'GET' ? 'list' : method === 'HEAD' ? 'head' : 'delete'
    const inPath = decodeURIComponent(request.path.slice(this.#path.length))
    const key = call === 'list' ? String(request.query?.['prefix'] ?? '') : inPath
    const path = query === '' ? request.path : `${request.path}?${query}`
    const exchange = this.#connections!.send(
      { method, path, headers: request.headers, body: null, answerBytesMax: ANSWER_BYTES_MAX, memory: null },
      (sentBytes, receivedBytes) => { this.#countAttempt({ call, key, sentBytes, receivedBytes }) }
    )
    const cancel = (): void => { exchange.cancel() }
    abortSignal?.addEventListener('abort', cancel, { once: true })
    const reply = await exchange.reply.finally(() => { abortSignal?.removeEventListener('abort', cancel) })
    const { status, headers, body } = reply
    if (status >= 300) throw new FailedReply(failureOf(status, headers, Buffer.from(body).toString()))
    return { response: responseOf(reply) }
  }

  updateHttpClientConfig(): void {} // the SDK asks for it; nothing of ours is its to change

  httpHandlerConfigs(): Record<string, never> {
    return {}
  }

  destroy(): void {} // the session ends its connections
}

function responseOf({ status, headers, body }: HttpReply): SdkResponse {
  const flat: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers))
    flat[name] = Array.isArray(value) ? value.join(', ') : (value ?? '')
  return { statusCode: status, headers: flat, body: Readable.from(body.byteLength === 0 ? [] : [body]) }
}

/** In the order and escaping that were signed: every byte but the unreserved ones. */
function queryOf(query: NonNullable<SdkRequest['query']>): string {
  const escape = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
  return Object.keys(query).sort().flatMap((name) => {
    const value = query[name]
    const values = value === null || value === undefined ? [''] : typeof value === 'string' ? [value] : value
    return values.map((one) => `${escape(name)}=${escape(one)}`)
  }).join('&')
}
