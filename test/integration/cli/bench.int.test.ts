/**
 * Goal: `zonewise bench` loads a running cluster from each zone, tells what it saw, and leaves no topic behind; what
 * cannot be is one sentence.
 * Method: a server with three zones, a short load, its answer as JSON.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ZoneResult } from '#cli/load/zone-load.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { type Server, startServer, zonewise } from '#test/support/zonewise-process.ts'

const RATE = 3_000_000
const SECONDS = 2
let server: Server
let http: string
before(async () => {
  server = await startServer(temporaryFolder())
  http = `${server.endpoints.http.host}:${server.endpoints.http.port}`
})
after(async () => { await server.end('SIGKILL') })

test('bench: each zone produces its part, reads all, and is told by its name', async () => {
  const flags = ['--rate', String(RATE), '--seconds', String(SECONDS), '--partitions', '3', '--json']
  const { code, stdout, stderr } = await zonewise(['bench', '--http', http, ...flags])
  assert.equal(code, 0, stderr)
  const { zones } = JSON.parse(stdout.toString()) as { readonly zones: readonly ZoneResult[] }
  assert.deepEqual(zones.map(({ zone }) => zone), ['zone-a', 'zone-b', 'zone-c'])
  const produced = zones.reduce((sum, one) => sum + one.produced.bytes, 0)
  assert(produced > RATE * SECONDS * 0.5 && produced < RATE * SECONDS * 1.1, String(produced))
  for (const { produced: own, read, ackMs, endToEndMs, errors } of zones) {
    assert(own.bytes > 0 && own.bytes < produced * 0.6)
    assert.equal(read.bytes, produced)
    assert(ackMs.p50 > 0 && ackMs.p50 <= ackMs.p99 && ackMs.p99 <= ackMs.max)
    assert(endToEndMs.p50 > 0 && endToEndMs.p50 <= endToEndMs.p99)
    assert.deepEqual(errors, {})
  }
  const topics = await zonewise(['topic', 'list', '--bootstrap-server', server.bootstrap(1)])
  assert.equal(topics.stdout.toString(), '')
})

test('bench: a table for people', async () => {
  const { code, stdout } = await zonewise(
    ['bench', '--bootstrap-server', server.bootstrap(0), '--rate', '500000', '--record-bytes', '100', '--seconds', '1']
  )
  assert.equal(code, 0)
  const [head, row] = stdout.toString().split('\n')
  assert.match(head!, /^zone +produced +ack p50 +ack p99 +read +end to end p50 +end to end p99 +no service +errors$/)
  assert.match(row!, /^zone-a +\d+ KiB\/s +[\d.]+ ms .* 0\.0 s +0$/)
})

test('bench: nobody listens, or the command line is wrong: one sentence', async () => {
  for (const [flags, sentence] of [
    [['--bootstrap-server', '127.0.0.1:1'], /^zonewise: a gateway cannot be reached \(.*ECONNREFUSED\)/m],
    [['--bootstrap-server', 'nowhere'], /^zonewise: a bootstrap server is not HOST:PORT/m],
    [['--http', '127.0.0.1:1'], /^zonewise: the node cannot be asked \(http 127.0.0.1:1,/m],
    [['--bootstrap-server', server.bootstrap(0), '--rate', '0'], /^zonewise: a flag is out of range/m]
  ] as const) {
    const { code, stderr } = await zonewise(['bench', '--seconds', '1', ...flags])
    assert.equal(code, 1)
    assert.match(stderr, sentence)
    assert.doesNotMatch(stderr, /^\s+at /m)
  }
})
