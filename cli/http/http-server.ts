/** HTTP of a process: health, metrics and the ledger. It listens before the node starts: `/ready` can say why not. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Running } from '#cli/node/types.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import { indexPage } from './index-page.ts'

const TURN_MS = 1_000
const TURN_LATE_MS = 5_000 // an event loop that did not turn for so long is not alive

export type HttpOptions = { readonly host: string; readonly port: number; readonly runtime: Runtime }

export type HttpServer = {
  readonly port: number
  /** From here on the paths speak of `running`. */
  attach(running: Running): void
  close(): Promise<void>
}

type Answer = { readonly status: number; readonly type: 'json' | 'text' | 'html'; readonly body: string }

const PATHS = {
  '/': 'this list',
  '/live': '200 while the event loop turns',
  '/ready': '200 when clients can be served, else 503 and what is missing',
  '/metrics': 'metrics as Prometheus text',
  '/api/ledger': 'bytes and requests by (from, to, cause) as JSON'
} as const

const TYPES = {
  json: 'application/json; charset=utf-8',
  text: 'text/plain; version=0.0.4; charset=utf-8',
  html: 'text/html; charset=utf-8'
} as const

/** @throws ZonewiseError PORT_IN_USE */
export function serveHttp({ host, port, runtime }: HttpOptions): Promise<HttpServer> {
  let running: Running | null = null
  let turnedMs = runtime.clock.monotonicMs()
  const turn = (): (() => void) => runtime.timer.after(TURN_MS, () => {
    turnedMs = runtime.clock.monotonicMs()
    cancelTurn = turn()
  })
  let cancelTurn = turn()

  const json = (status: number, value: unknown): Answer =>
    ({ status, type: 'json', body: `${JSON.stringify(value)}\n` })
  const starting = (): Answer => json(503, { ready: false, missing: ['the node is starting'] })

  const answer = async (path: string): Promise<Answer> => {
    switch (path) {
      case '/': return { status: 200, type: 'html', body: indexPage(PATHS, running?.endpoints ?? []) }
      case '/live': {
        const lateMs = Math.round(runtime.clock.monotonicMs() - turnedMs)
        return json(lateMs < TURN_LATE_MS ? 200 : 503, { live: lateMs < TURN_LATE_MS, turnedMsAgo: lateMs })
      }
      case '/ready': {
        if (running === null) return starting()
        const state = await running.ready()
        return json(state.ready ? 200 : 503, state)
      }
      case '/metrics': return running === null ? starting() : { status: 200, type: 'text', body: running.metricsText() }
      case '/api/ledger': return running === null ? starting() : json(200, { rows: running.ledger() })
      default: return json(404, { error: 'there is no such path', paths: PATHS })
    }
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const path = (request.url ?? '/').split('?', 1)[0]!
    let given: Answer
    try {
      given = isRead ? await answer(path) : json(405, { error: 'only GET and HEAD are served' })
    } catch (error) {
      given = json(500, { error: error instanceof Error ? error.message : String(error) })
    }
    response.writeHead(given.status, { 'content-type': TYPES[given.type], 'cache-control': 'no-store' })
    response.end(request.method === 'HEAD' ? undefined : given.body)
  }

  const server = createServer((request, response) => { void handle(request, response) })
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code === 'EADDRINUSE' || error.code === 'EACCES' ? 'PORT_IN_USE' : 'SETTING_INVALID'
      reject(new ZonewiseError(code, 'cannot listen for http', { host, port, reason: error.code }, error))
    })
    server.listen(port, host, () => {
      const address = server.address()
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : port,
        attach: (node) => { running = node },
        close: () => new Promise((closed) => {
          cancelTurn()
          server.close(() => { closed() })
          server.closeAllConnections()
        })
      })
    })
  })
}
