/**
 * HTTP of a process: health, metrics and the ledger. It listens before the node starts: `/ready` can say why not.
 * Bounded: so many connections, small requests without a body, and time limits; looks at the node are shared.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Running } from '#cli/node/types.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import { type Accept, refuseTunnel, serveRpc } from '../platform/rpc-upgrade.ts'
import { indexPage } from './index-page.ts'
import { CHANGE_HEADER, drainOf, PATHS } from './paths.ts'

const TURN_MS = 1_000
const TURN_LATE_MS = 5_000 // an event loop that did not turn for so long is not alive
const LIMITS = { connectionsMax: 256, headerBytesMax: 8 * 1_024, requestMs: 10_000, keepAliveMs: 75_000 } as const
const METHODS: readonly (string | undefined)[] = ['GET', 'HEAD']

export type HttpOptions = { readonly host: string; readonly port: number; readonly runtime: Runtime }

export type HttpServer = {
  readonly port: number
  /** From here on the paths speak of `running`. */
  attach(running: Running): void
  /** Until then `/ready` says what the start waits for. */
  attachWaiting(missing: () => readonly string[]): void
  /** From here on `accept` takes the streams of other nodes. */
  attachRpc(accept: Accept): void
  close(): Promise<void>
}

type Answer = { readonly status: number; readonly type: keyof typeof TYPES; readonly body: string }

const TYPES = {
  json: 'application/json; charset=utf-8',
  metrics: 'text/plain; version=0.0.4; charset=utf-8',
  html: 'text/html; charset=utf-8'
} as const

/** @throws ZonewiseError PORT_IN_USE */
export async function serveHttp({ host, port, runtime }: HttpOptions): Promise<HttpServer> {
  const answers = new Answers(runtime)
  const { headerBytesMax, requestMs, keepAliveMs, connectionsMax } = LIMITS
  const options = {
    maxHeaderSize: headerBytesMax, headersTimeout: requestMs, requestTimeout: requestMs, keepAliveTimeout: keepAliveMs
  }
  const server = createServer(options, (request, response) => { void handle(answers, request, response) })
  server.maxConnections = connectionsMax
  server.on('clientError', refuseMalformed)
  server.on('connect', (_request, socket) => { refuseTunnel(socket as Socket, answerText(notAllowed())) }) // Node does not
  let accept: Accept | null = null
  serveRpc(server, () => accept)
  const bound = Promise.withResolvers<void>()
  server.once('error', (error: NodeJS.ErrnoException) => {
    const code = error.code === 'EADDRINUSE' || error.code === 'EACCES' ? 'PORT_IN_USE' : 'SETTING_INVALID'
    bound.reject(new ZonewiseError(code, 'cannot listen for http', { host, port, reason: error.code }, error))
  })
  server.listen(port, host, bound.resolve)
  try {
    await bound.promise
  } catch (error) {
    answers.close()
    throw error
  }
  server.on('error', () => {}) // an accept that failed (out of files): the next one may succeed
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    attach: (running) => { answers.running = running },
    attachWaiting: (missing) => { answers.waiting = missing },
    attachRpc: (taker) => { accept = taker },
    close: () => new Promise((closed) => {
      answers.close()
      server.close(() => { closed() })
      server.closeAllConnections()
    })
  }
}

/** What each path says. */
class Answers {
  running: Running | null = null
  waiting: () => readonly string[] = () => ['the node is starting']
  readonly #runtime: Runtime
  #ready: ReturnType<Running['ready']> | null = null // under way: all who ask meanwhile share it
  #turnedMs: number
  #cancelTurn: () => void = () => {}

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#turnedMs = runtime.clock.monotonicMs()
    this.#turn()
  }

  close(): void {
    this.#cancelTurn()
  }

  async to(path: string): Promise<Answer> {
    const { running } = this
    if (path === '/') return { status: 200, type: 'html', body: indexPage(PATHS, running?.endpoints ?? []) }
    if (path === '/live') return this.#live()
    if (!Object.hasOwn(PATHS, path)) return json(404, { error: 'there is no such path', paths: PATHS })
    if (running === null) return json(503, { ready: false, missing: this.waiting() })
    if (path === '/metrics') return { status: 200, type: 'metrics', body: running.metricsText() }
    if (path === '/api/nodes') return json(200, { nodes: await running.nodes() })
    if (path === '/api/ledger') return json(200, await running.clusterLedger?.() ?? { rows: running.ledger() })
    const { ready, missing } = await (this.#ready ??= running.ready().finally(() => { this.#ready = null }))
    return json(ready ? 200 : 503, { ready, missing })
  }

  /** A request that changes something. */
  async toChange(path: string, hasHeader: boolean): Promise<Answer> {
    const { running } = this
    const drain = drainOf(path)
    if (drain === null) return notAllowed()
    if (!hasHeader) return json(403, { error: `a request that changes something needs the header ${CHANGE_HEADER}` })
    if (running === null) return json(503, { ready: false, missing: this.waiting() })
    await running.drain(drain.nodeId, drain.draining)
    return json(200, drain)
  }

  #live(): Answer {
    const turnedMsAgo = Math.round(this.#runtime.clock.monotonicMs() - this.#turnedMs)
    const live = turnedMsAgo < TURN_LATE_MS
    return json(live ? 200 : 503, { live, turnedMsAgo })
  }

  #turn(): void {
    this.#cancelTurn = this.#runtime.timer.after(TURN_MS, () => {
      this.#turnedMs = this.#runtime.clock.monotonicMs()
      this.#turn()
    })
  }
}

async function handle(answers: Answers, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = pathOf(request)
  const isRead = METHODS.includes(request.method)
  if (!isRead) response.setHeader('connection', 'close') // whatever body follows is not read
  try {
    const answer = path === null ? json(400, { error: 'the request target is no path' })
      : isRead ? await answers.to(path)
        : request.method === 'POST' ? await answers.toChange(path, request.headers[CHANGE_HEADER] !== undefined)
          : notAllowed()
    if (answer.status === 405) response.setHeader('allow', METHODS.join(', '))
    send(response, answer, request.method === 'HEAD')
  } catch (error) {
    send(response, failed(error))
  }
}

/** 409: the same request will be refused again. 503: it may be served later. */
function failed(error: unknown): Answer {
  if (!(error instanceof ZonewiseError)) return json(500, { error: error instanceof Error ? error.message : String(error) })
  if (error.code === 'REQUEST_REFUSED') return json(409, { error: String(error.context['reason'] ?? error.message) })
  return json(error.retriable ? 503 : 500, { error: explain(error) })
}

/** A target may also be a whole address (RFC 9112, 3.2.2). */
function pathOf({ url = '/' }: IncomingMessage): string | null {
  if (url.startsWith('/')) return url.split('?', 1)[0]!
  return URL.canParse(url) ? new URL(url).pathname : null
}

function send(response: ServerResponse, { status, type, body }: Answer, headOnly = false): void {
  response.writeHead(status, {
    'content-type': TYPES[type], 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store',
    'x-content-type-options': 'nosniff'
  })
  response.end(headOnly ? undefined : body)
}

const MALFORMED: Readonly<Record<string, readonly [status: number, error: string]>> = {
  HPE_HEADER_OVERFLOW: [431, `the request line and headers are longer than ${LIMITS.headerBytesMax} bytes`],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not come in time']
}

/** What is no HTTP is told so, and the connection ends. */
function refuseMalformed({ code = '' }: NodeJS.ErrnoException, socket: Duplex): void {
  const [status, error] = MALFORMED[code] ?? [400, 'this is no HTTP request']
  endWith(socket, json(status, { error }))
}

function endWith(socket: Duplex, answer: Answer): void {
  if (socket.writable) socket.end(answerText(answer))
  else socket.destroy()
}

function answerText({ status, type, body }: Answer): string {
  const head = [`HTTP/1.1 ${status} Refused`, `content-type: ${TYPES[type]}`, `content-length: ${Buffer.byteLength(body)}`]
  return `${[...head, 'connection: close'].join('\r\n')}\r\n\r\n${body}`
}

function json(status: number, value: unknown): Answer {
  return { status, type: 'json', body: `${JSON.stringify(value)}\n` }
}

function notAllowed(): Answer {
  return json(405, { error: 'only GET and HEAD are served here' })
}
