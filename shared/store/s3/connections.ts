/**
 * Connections to one origin, one request on each at a time, the one used last taken first: so a second try of a slow
 * request never waits behind the first, and each byte of a socket belongs to one request. How many there are follows
 * from how many requests the store lets run.
 */
import { Client, type buildConnector, type Dispatcher } from 'undici'
import { HttpExchange, type HttpRequest } from './http-exchange.ts'

const KEEP_ALIVE_MS = 15_000 // servers close idle connections after 20 s and more
const ANSWER_HEAD_BYTES_MAX = 64 * 1024

/** Bytes that went through the sockets of one connection, below TLS, since it was made. */
export type SocketMeter = { readonly sentBytes: number; readonly receivedBytes: number }
export type SocketSource = {
  readonly connect: buildConnector.connector
  readonly meter: SocketMeter
  /** Calls back when the kernel has all that was written, or the socket was closed: nothing reads that memory any more. */
  whenSent(then: () => void): void
}

export type ConnectionsOptions = {
  readonly origin: string // http(s)://HOST:PORT
  readonly answerTimeoutMs: number
  /** How to make a connection, called for each. */
  readonly newSocketSource: () => SocketSource
}

type SendableBody = Exclude<Dispatcher.DispatchOptions['body'], undefined>
type Connection = { readonly client: Client; readonly source: SocketSource; sentBytes: number; receivedBytes: number }
export type CountBytes = (sentBytes: number, receivedBytes: number) => void

export class Connections {
  readonly #options: ConnectionsOptions
  readonly #all = new Set<Connection>()
  readonly #idle: Connection[] = []

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  /** Connections made so far, in use or not. */
  get count(): number {
    return this.#all.size
  }

  /** Sends one request on a connection of its own; `count` is told once what it cost in bytes, whatever its end. */
  send(request: HttpRequest, count: CountBytes): HttpExchange {
    const connection = this.#idle.pop() ?? this.#open()
    const exchange = new HttpExchange(request, connection.source.whenSent)
    const ended = (): void => {
      const { sentBytes, receivedBytes } = connection.source.meter
      count(sentBytes - connection.sentBytes, receivedBytes - connection.receivedBytes)
      connection.sentBytes = sentBytes
      connection.receivedBytes = receivedBytes
      if (exchange.cancelled && !exchange.started) this.#drop(connection)
      else this.#idle.push(connection)
    }
    exchange.reply.then(ended, ended)
    const { method, path, headers, body } = request
    const own = headers as Record<string, string>
    connection.client.dispatch({ method, path, headers: own, body: sendable(body) }, exchange)
    return exchange
  }

  /** Ends what is under way, and every connection. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#all].map(({ client }) => client.destroy()))
    this.#all.clear()
  }

  /** Forgets a connection that was given up while it was still being made. */
  #drop(connection: Connection): void {
    this.#all.delete(connection)
    connection.client.destroy().catch(() => {}) // who waited for it has given up
  }

  #open(): Connection {
    const { origin, answerTimeoutMs, newSocketSource } = this.#options
    const source = newSocketSource()
    const client = new Client(origin, {
      connect: source.connect, allowH2: false, pipelining: 1, headersTimeout: answerTimeoutMs, bodyTimeout: answerTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: ANSWER_HEAD_BYTES_MAX
    })
    const connection = { client, source, sentBytes: 0, receivedBytes: 0 }
    this.#all.add(connection)
    return connection
  }
}

/** One buffer is written with the headers in one go; a list goes out piece by piece, as fast as the peer takes it. */
function sendable(body: readonly Uint8Array[] | null): SendableBody {
  if (body === null || body.length === 0) return null
  return (body.length === 1 ? body[0] : body) as SendableBody // its types leave out that it takes any iterable
}
