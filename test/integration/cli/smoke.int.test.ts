/**
 * Goal: what the README promises works from the command line: three zones, any line in, the same line out, after a
 * restart too, and no payload crosses a zone.
 * Method: a server on free ports, its own produce, consume, topic and ledger commands, then SIGTERM and a second life.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { startServer, type Server, zonewise } from '#test/support/zonewise-process.ts'

const LINES = [
  Buffer.from('hello'), Buffer.from([0, 0xff, 0xfe, 0x80, 0x0d]), Buffer.alloc(0), Buffer.from('größe'),
  Buffer.alloc(50_000, 0x61)
]
const INPUT = Buffer.concat(LINES.flatMap((line) => [line, Buffer.from('\n')]))

const folder = temporaryFolder()
let server: Server

before(async () => { server = await startServer(folder) })
after(async () => { await server.end('SIGKILL') })

async function run(zone: number, args: readonly string[], input: Uint8Array | string = ''): Promise<Buffer> {
  const ran = await zonewise([...args, '--bootstrap-server', server.bootstrap(zone)], input)
  assert.equal(ran.code, 0, `${args.join(' ')}: ${ran.stderr}\n${server.log()}`)
  return ran.stdout
}

const http = (): string => `${server.endpoints.http.host}:${server.endpoints.http.port}`

test('zonewise: a topic is created in one zone and known in all', async () => {
  await run(0, ['topic', 'create', 'bytes', '--partitions', '1', '--config', 'retention.ms=86400000'])
  const descriptions = await Promise.all([0, 1, 2].map((zone) => run(zone, ['topic', 'describe', 'bytes'])))
  const description = descriptions[2]!.toString()
  assert.match((await run(0, ['topic', 'list'])).toString(), /^bytes$/m)
  assert.match(description, /bytes: 1 partition/)
  assert.match(description, /retention\.ms=86400000/)
  const again = await zonewise(['topic', 'create', 'bytes', '--bootstrap-server', server.bootstrap(1)])
  assert.equal(again.code, 1)
  assert.match(again.stderr, /^zonewise: there is such a topic already/)
})

test('zonewise: bytes produced in one zone come out in another as they went in', async () => {
  await run(0, ['produce', 'bytes'], INPUT)
  const out = await run(1, ['consume', 'bytes', '--from-beginning', '--exit-at-end'])
  assert.deepEqual(out, INPUT)
})

test('zonewise: keys, partitions and bounds of a consumer are honoured', async () => {
  await run(0, ['topic', 'create', 'keyed', '--partitions', '4'])
  await run(1, ['produce', 'keyed', '--key-separator', ':'], 'a:1\nb:2\na:3\nc:4\n')
  const all =
    (await run(2, ['consume', 'keyed', '--from-beginning', '--exit-at-end', '--key-separator', '='])).toString()
  assert.deepEqual(all.trim().split('\n').sort(), ['a=1', 'a=3', 'b=2', 'c=4'])
  assert(all.indexOf('a=1') < all.indexOf('a=3'))
  const parts = await Promise.all([0, 1, 2, 3].map((partition) =>
    run(2, ['consume', 'keyed', '--from-beginning', '--exit-at-end', '--partition', String(partition)])))
  assert.equal(Buffer.concat(parts).toString().trim().split('\n').length, 4)
  const first =
    (await run(0, ['consume', 'bytes', '--group', 'g', '--from-beginning', '--max-messages', '1'])).toString()
  const rest = await run(1, ['consume', 'bytes', '--group', 'g', '--from-beginning', '--exit-at-end'])
  assert.deepEqual(Buffer.concat([Buffer.from(first), rest]), INPUT)
})

test('zonewise: http answers health, metrics and the ledger', async () => {
  for (const path of ['/live', '/ready', '/']) assert.equal((await fetch(`http://${http()}${path}`)).status, 200, path)
  assert.match(await (await fetch(`http://${http()}/metrics`)).text(), /^# TYPE zonewise_/m)
  const missing = await fetch(`http://${http()}/nothing`)
  assert.equal(missing.status, 404)
  assert.match(await missing.text(), /api\/ledger/)
})

test('zonewise: no payload crossed a zone, and the ledger says so', async () => {
  const ran = await zonewise(['ledger', '--json', '--http', http()])
  const { rows } = JSON.parse(ran.stdout.toString()) as { readonly rows: readonly LedgerRow[] }
  assert(rows.some(({ cause, bytes }) => cause === 'produce' && bytes > 50_000))
  assert.deepEqual(rows.filter(({ crosses, payload }) => crosses && payload), [])
  assert(rows.some(({ crosses, payload }) => crosses && !payload), 'commits cross zones')
  const text = (await zonewise(['ledger', '--http', http()])).stdout.toString()
  assert.match(text, /payload +0 B/)
})

test('zonewise: everything is still there after a stop and a start', async () => {
  assert.equal(await server.end('SIGTERM'), 0, server.log())
  server = await startServer(folder)
  assert.deepEqual(await run(2, ['consume', 'bytes', '--from-beginning', '--exit-at-end']), INPUT)
  await run(0, ['produce', 'bytes'], 'more\n')
  const out = await run(1, ['consume', 'bytes', '--from-beginning', '--exit-at-end'])
  assert.deepEqual(out, Buffer.concat([INPUT, Buffer.from('more\n')]))
})

test('zonewise: everything acknowledged is still there after kill -9', async () => {
  await run(0, ['produce', 'bytes'], 'last\n')
  await server.end('SIGKILL')
  server = await startServer(folder)
  const out = await run(1, ['consume', 'bytes', '--from-beginning', '--exit-at-end'])
  assert.deepEqual(out, Buffer.concat([INPUT, Buffer.from('more\nlast\n')]))
})

test('zonewise: a deleted topic is gone, and commands about it say so', async () => {
  await run(0, ['topic', 'delete', 'keyed'])
  for (const args of [['topic', 'describe'], ['topic', 'delete'], ['consume']]) {
    const ran = await zonewise([...args, 'keyed', '--bootstrap-server', server.bootstrap(0)])
    assert.equal(ran.code, 1)
    assert.match(ran.stderr, /^zonewise: there is no such topic \(topic keyed\)/, args.join(' '))
  }
})
