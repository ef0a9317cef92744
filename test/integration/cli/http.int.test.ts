/**
 * Goal: the HTTP paths say what the node is, from before it runs until it stops, and nothing that comes over the wire
 * harms them. Method: a server on a free port, a made-up node, `fetch` and raw bytes on a socket.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { type HttpServer, serveHttp } from '#cli/http/http-server.ts'
import type { Running } from '#cli/node/types.ts'
import { CHANGE_HEADER } from '#cli/http/paths.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

let server: HttpServer
let missing = ['shard 3 has no leader']
let looks = 0

const running: Running = {
  endpoints: [{ zone: 'a<b', host: 'h', port: 1, nodeId: 1 }],
  ready: async () => {
    looks += 1
    await new Promise((resolve) => { setTimeout(resolve, 20) })
    return { ready: missing.length === 0, missing, settled: true }
  },
  ledger: () => [{ from: 'a', to: 'b', cause: 'commit', payload: false, crosses: true, bytes: 7, requests: 1 }],
  nodes: async () => [],
  drain: async (nodeId) => {
    throw new ZonewiseError('REQUEST_REFUSED', 'the node cannot be drained', { reason: `no node ${nodeId}` })
  },
  metricsText: () => 'zonewise_up 1\n',
  stop: async () => {}
}

const get = (path: string, init?: RequestInit): Promise<Response> => fetch(`http://127.0.0.1:${server.port}${path}`, init)

/** Sends bytes as they are; resolves with all that comes until the connection ends. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(server.port, '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => { answer += chunk.toString() })
  socket.on('error', () => {}) // a connection that is closed under a long request
  socket.write(bytes)
  await once(socket, 'close')
  return answer
}

before(async () => { server = await serveHttp({ host: '127.0.0.1', port: 0, runtime: nodeRuntime }) })
after(() => server.close())

test('http-server: before the node runs it is alive and not ready', async () => {
  assert.equal((await get('/live')).status, 200)
  for (const path of ['/ready', '/metrics', '/api/ledger']) {
    const answer = await get(path)
    assert.equal(answer.status, 503)
    assert.deepEqual(await answer.json(), { ready: false, missing: ['the node is starting'] })
  }
  server.attach(running)
})

test('http-server: says what is missing, and looks once for all who ask at a time', async () => {
  const answers = await Promise.all([get('/ready'), get('/ready'), get('/ready')])
  for (const answer of answers) {
    assert.equal(answer.status, 503)
    assert.deepEqual(await answer.json(), { ready: false, missing })
  }
  assert(looks < 3)
  missing = []
  assert.equal((await get('/ready')).status, 200)
})

test('http-server: each path has its content type, its length and no cache', async () => {
  const types = {
    '/': 'text/html; charset=utf-8', '/live': 'application/json; charset=utf-8', '/ready': 'application/json; charset=utf-8',
    '/metrics': 'text/plain; version=0.0.4; charset=utf-8', '/api/ledger': 'application/json; charset=utf-8',
    '/nowhere': 'application/json; charset=utf-8'
  }
  for (const [path, type] of Object.entries(types)) {
    const answer = await get(`${path}?x=1`)
    const head = await get(path, { method: 'HEAD' })
    const body = await answer.text()
    assert.equal(answer.headers.get('content-type'), type)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    assert.deepEqual([head.status, await head.text()], [answer.status, ''])
    assert.equal(head.headers.get('content-type'), type)
    if (path !== '/live') assert.equal(head.headers.get('content-length'), String(Buffer.byteLength(body)))
  }
  assert.equal(await (await get('/metrics')).text(), 'zonewise_up 1\n')
  assert.deepEqual(await (await get('/api/ledger')).json(), { rows: running.ledger() })
  assert.match(await (await get('/')).text(), /a&lt;b/)
})

test('http-server: refuses other paths and methods with a sentence, and does not read a body', async () => {
  const nowhere = await get('/nowhere')
  assert.equal(nowhere.status, 404)
  const said = (await nowhere.json()) as { readonly error: string; readonly paths: Record<string, string> }
  assert.match(said.error, /no such path/)
  assert('/api/ledger' in said.paths)
  for (const path of ['/constructor', '/__proto__', '//live', '/live/']) {
    assert.equal((await get(path)).status, 404, path)
  }
  const posted = await get('/ready', { method: 'POST', body: 'x'.repeat(100_000) })
  assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD'])
  assert.match(await posted.text(), /only GET and HEAD/)
  assert.match(await raw('POST /live HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n'), /^HTTP\/1\.1 405 /)
  assert.match(await raw('CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n'), /^HTTP\/1\.1 405 [^]*only GET and HEAD/)
})

test('http-server: what changes something needs a header that no page of a browser sends, and a refusal has a reason', async () => {
  const path = '/api/nodes/7/drain'
  assert.equal((await get(path)).status, 404)
  assert.equal((await get(path, { method: 'POST' })).status, 403)
  const refused = await get(path, { method: 'POST', headers: { [CHANGE_HEADER]: '1' } })
  assert.deepEqual([refused.status, await refused.json()], [409, { error: 'no node 7' }])
  assert.equal((await get('/api/nodes/x/drain', { method: 'POST', headers: { [CHANGE_HEADER]: '1' } })).status, 405)
  assert.deepEqual(await (await get('/api/nodes')).json(), { nodes: [] })
})

test('http-server: what is no HTTP is told so, and the connection ends', async () => {
  assert.match(await raw('garbage\r\n\r\n'), /^HTTP\/1\.1 400 [^]*no HTTP request/)
  assert.match(await raw(Buffer.alloc(64, 0xff).toString('latin1')), /^HTTP\/1\.1 400 /)
  assert.match(await raw('GET /live HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /) // no host
  assert.match(await raw(`GET /${'a'.repeat(9_000)} HTTP/1.1\r\nhost: x\r\n\r\n`), /^HTTP\/1\.1 431 [^]*8192 bytes/)
  assert.match(await raw('GET x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'), /^HTTP\/1\.1 400 /)
})

const TUNNELS = [
  'CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n',
  'GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
  'GET /rpc HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: zonewise-rpc\r\n\r\n'
]

test('http-server: who is refused a tunnel cannot keep its connection, of which there are few', async () => {
  for (const bytes of TUNNELS) {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true }) // never ends by itself
    let answer = ''
    socket.on('data', (chunk) => { answer += chunk.toString() })
    socket.write(bytes)
    await once(socket, 'end')
    assert.match(answer, /^HTTP\/1\.1 (405|404|503) /)
    const gone = Promise.race([once(socket, 'error'), once(socket, 'close')])
    for (let turn = 0; turn < 10 && !socket.destroyed; turn++) {
      socket.write('x') // to nobody
      await new Promise((resolve) => { setTimeout(resolve, 20) })
    }
    socket.destroy()
    const [error] = await gone as [NodeJS.ErrnoException | boolean]
    assert(typeof error === 'object' && ['EPIPE', 'ECONNRESET'].includes(error.code ?? ''), `${bytes}: ${String(error)}`)
  }
})

test('http-server: who asks for a tunnel and breaks the connection harms nobody', async (t) => {
  const bugs: Error[] = [] // each would end the process
  const onBug = (error: Error): void => { bugs.push(error) }
  process.on('uncaughtException', onBug)
  t.after(() => { process.off('uncaughtException', onBug) })
  for (const bytes of TUNNELS) {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(bytes, () => { setTimeout(() => { socket.resetAndDestroy() }, 50) })
    await once(socket, 'close')
  }
  await new Promise((resolve) => { setTimeout(resolve, 100) })
  assert.deepEqual(bugs, [])
  assert.equal((await get('/live')).status, 200)
})

test('http-server: keeps a connection for the next request, and takes a whole address as a target', async () => {
  const next = 'GET /live HTTP/1.1\r\nhost: x\r\n\r\n'
  const last = 'GET http://x/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
  const answers = (await raw(`${next}${next}${last}`)).match(/HTTP\/1\.1 200 OK/g)
  assert.equal(answers?.length, 3)
})

test('http-server: a port in use is an error with a code', async () => {
  await assert.rejects(serveHttp({ host: '127.0.0.1', port: server.port, runtime: nodeRuntime }), { code: 'PORT_IN_USE' })
})
