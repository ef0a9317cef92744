/**
 * Goal: `--store s3://bucket/prefix` is all it takes: bytes in, the same bytes out in another zone and after a restart,
 * clusters share a bucket, every byte to the store is counted, and what is set up wrongly is one sentence.
 * Method: the command line against versitygw, settings by flags and by the variables that every AWS tool reads.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { S3Server } from '#infra/local/s3-server.ts'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { type Server, startServer, zonewise } from '#test/support/zonewise-process.ts'

const BUCKET = 'bucket-a'
const INPUT = Buffer.from(`hello\n${'x'.repeat(100_000)}\nlast\n`)
const objects = temporaryFolder()
const folder = temporaryFolder()
const servers: Server[] = []
let s3: S3Server
let env: NodeJS.ProcessEnv

before(async () => {
  s3 = await S3Server.start({ folder: objects, buckets: [BUCKET], progress: (line) => { process.stdout.write(`${line}\n`) } })
  env = {
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    AWS_ENDPOINT_URL_S3: s3.endpoint, AWS_REGION: s3.region, AWS_EC2_METADATA_DISABLED: 'true'
  }
})
after(async () => {
  for (const server of servers) await server.end('SIGKILL')
  await s3.stop()
})

async function start(data: string, flags: readonly string[], more: NodeJS.ProcessEnv = env): Promise<Server> {
  const before = { ...process.env }
  Object.assign(process.env, more) // a server gets those of this process
  const starting = startServer(join(folder, data), flags)
  process.env = before
  const server = await starting
  servers.push(server)
  return server
}

async function run(server: Server, zone: number, args: readonly string[], input: Uint8Array = Buffer.alloc(0)): Promise<Buffer> {
  const ran = await zonewise([...args, '--bootstrap-server', server.bootstrap(zone)], input)
  assert.equal(ran.code, 0, `${args.join(' ')}: ${ran.stderr}\n${server.log()}`)
  return ran.stdout
}

test('bucket: what went in comes out in another zone, after a restart too, and is counted', async () => {
  const first = await start('one', ['--store', `s3://${BUCKET}/clusters/one`])
  await run(first, 0, ['produce', 'bytes'], INPUT)
  assert.deepEqual(await run(first, 1, ['consume', 'bytes', '--from-beginning', '--exit-at-end']), INPUT)
  const { host, port } = first.endpoints.http
  const ledger = await zonewise(['ledger', '--json', '--http', `${host}:${port}`])
  const { rows } = JSON.parse(ledger.stdout.toString()) as { readonly rows: readonly LedgerRow[] }
  const put = rows.find(({ from, to, cause }) => from === 'zone-a' && to === 'store' && cause === 'chunk-put')
  assert.ok(put !== undefined && put.bytes > INPUT.length && put.bytes < INPUT.length + 20_000, JSON.stringify(put))
  assert.ok(put.requests >= 1)
  assert.equal(rows.filter(({ crosses, payload, bytes }) => crosses && payload && bytes > 0).length, 0)
  assert.equal(await first.end(), 0)
  const second = await start('one', ['--store', `s3://${BUCKET}/clusters/one`])
  assert.deepEqual(await run(second, 2, ['consume', 'bytes', '--from-beginning', '--exit-at-end']), INPUT)
  assert.equal(await second.end(), 0)
  assert.ok(existsSync(join(objects, BUCKET, 'clusters', 'one', 'chunks')))
})

test('bucket: another cluster shares the bucket below a prefix of its own', async () => {
  const { AWS_ENDPOINT_URL_S3: endpoint = '', AWS_REGION: region = '', ...credentials } = env
  const flags = ['--store', `s3://${BUCKET}/clusters/two`, '--s3-endpoint', endpoint, '--s3-region', region, '--s3-addressing', 'path']
  const server = await start('two', flags, credentials)
  await run(server, 0, ['produce', 'bytes'], Buffer.from('two\n'))
  assert.deepEqual(await run(server, 1, ['consume', 'bytes', '--from-beginning', '--exit-at-end']), Buffer.from('two\n'))
  assert.equal(await server.end(), 0)
  assert.deepEqual(readdirSync(join(objects, BUCKET, 'clusters')).sort(), ['one', 'two'])
})

for (const [name, flags, more, sentence] of [
  ['a wrong secret', ['--store', `s3://${BUCKET}/x`], { AWS_SECRET_ACCESS_KEY: 'wrong' }, /the object store does not accept the credentials/],
  ['no credentials', ['--store', `s3://${BUCKET}/x`], { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', HOME: '/nonexistent' }, /there are no credentials for the object store/],
  ['a bucket that is not there', ['--store', 's3://no-such-bucket/x'], {}, /there is no such bucket/],
  ['no bucket at all', ['--store', 's3://'], {}, /--store is no s3:\/\/bucket\/prefix/]
] as const) {
  test(`bucket: ${name} stops the start with one sentence`, async () => {
    const listeners = ['--listener', 'zone=zone-a,port=0', '--http', '127.0.0.1:0']
    const ran = await zonewise(['start', '--data', join(folder, 'refused'), ...listeners, ...flags], '', { ...env, ...more })
    assert.equal(ran.code, 1, ran.stderr)
    assert.match(ran.stderr, sentence)
    assert.equal(ran.stderr.trim().split('\n').length, 1, ran.stderr)
  })
}

test('bucket: writes wait while the store is away, and go on when it is back', async () => {
  const server = await start('three', ['--store', `s3://${BUCKET}/clusters/three`])
  await run(server, 0, ['produce', 'bytes'], Buffer.from('before\n'))
  await s3.kill()
  const produced = run(server, 0, ['produce', 'bytes'], Buffer.from('meanwhile\n'))
  await new Promise((resolve) => { setTimeout(resolve, 1_500) })
  await s3.restart()
  await produced
  assert.deepEqual(await run(server, 1, ['consume', 'bytes', '--from-beginning', '--exit-at-end']), Buffer.from('before\nmeanwhile\n'))
  assert.equal(await server.end(), 0)
})
