/** Goal: the HTTP paths say what the node is, from before it runs until it stops. Method: a server on a free port, a made-up node. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serveHttp } from '#cli/http/http-server.ts'
import type { Running } from '#cli/node/types.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'

test('http-server: before, during and without a ready node', async () => {
  const server = await serveHttp({ host: '127.0.0.1', port: 0, runtime: nodeRuntime })
  const get = (path: string, init?: RequestInit): Promise<Response> => fetch(`http://127.0.0.1:${server.port}${path}`, init)
  assert.equal((await get('/live')).status, 200)
  assert.equal((await get('/ready')).status, 503)
  assert.equal((await get('/metrics')).status, 503)

  let missing = ['shard 3 has no leader']
  const running: Running = {
    endpoints: [{ zone: 'a<b', host: 'h', port: 1, nodeId: 1 }],
    ready: async () => ({ ready: missing.length === 0, missing }),
    ledger: () => [{ from: 'a', to: 'b', cause: 'commit', payload: false, crosses: true, bytes: 7, requests: 1 }],
    metricsText: () => 'zonewise_up 1\n',
    stop: async () => {}
  }
  server.attach(running)
  const notReady = await get('/ready')
  assert.equal(notReady.status, 503)
  assert.deepEqual(await notReady.json(), { ready: false, missing: ['shard 3 has no leader'] })
  missing = []
  assert.equal((await get('/ready')).status, 200)
  assert.equal(await (await get('/metrics')).text(), 'zonewise_up 1\n')
  assert.deepEqual(((await (await get('/api/ledger')).json()) as { rows: unknown }).rows, running.ledger())
  assert.match(await (await get('/')).text(), /a&lt;b/)
  assert.equal((await get('/live?x=1', { method: 'HEAD' })).status, 200)
  assert.equal((await get('/ready', { method: 'POST' })).status, 405)
  const nowhere = await get('/nowhere')
  assert.equal(nowhere.status, 404)
  assert.match(await nowhere.text(), /\/api\/ledger/)
  await assert.rejects(serveHttp({ host: '127.0.0.1', port: server.port, runtime: nodeRuntime }), { code: 'PORT_IN_USE' })
  await server.close()
})
