/**
 * Goal: `zonewise doctor` says what is wrong with a bucket, and what to do.
 * Method: the command line against versitygw.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Finding } from '#cli/doctor/finding.ts'
import { S3Server } from '#infra/local/s3-server.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { zonewise } from '#test/support/zonewise-process.ts'

const BUCKET = 'bucket-d'
let s3: S3Server
let env: NodeJS.ProcessEnv

before(async () => {
  s3 = await S3Server.start({
    folder: temporaryFolder(), buckets: [BUCKET], progress: (line) => { process.stdout.write(`${line}\n`) }
  })
  env = {
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    AWS_ENDPOINT_URL_S3: s3.endpoint, AWS_REGION: s3.region, AWS_EC2_METADATA_DISABLED: 'true'
  }
})
after(() => s3.stop())

type Found = { readonly code: number | null; readonly found: readonly Finding[] }

async function findings(store: string, more: NodeJS.ProcessEnv = {}): Promise<Found> {
  const flags = ['--store', store, '--data', temporaryFolder(), '--http', '127.0.0.1:0', '--listener', 'zone=a,port=0']
  const { code, stdout } = await zonewise(['doctor', ...flags, '--json'], '', { ...env, ...more })
  const { findings: all } = JSON.parse(stdout.toString()) as { readonly findings: Finding[] }
  return { code, found: all.filter(({ check }) => check === 'store' || check === 'clock') }
}

test('doctor: a bucket that can be used, and has our time', async () => {
  const { code, found } = await findings(`s3://${BUCKET}/fine`)
  assert.equal(code, 0, JSON.stringify(found))
  assert.deepEqual(found.map(({ check, state }) => [check, state]), [['store', 'ok'], ['clock', 'ok']])
})

for (const [name, store, more, sentence, cure] of [
  ['a wrong key', `s3://${BUCKET}/x`, { AWS_SECRET_ACCESS_KEY: 'wrong' }, /not accept the credentials/, /valid ones/],
  ['a bucket that is not there', 's3://no-such-bucket/x', {}, /there is no such bucket/, /create the bucket/],
  ['no server', `s3://${BUCKET}/x`, { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' }, /object store/, /./]
] as const) {
  test(`doctor: ${name} is one finding with its cure`, async () => {
    const { code, found } = await findings(store, more)
    assert.equal(code, 1)
    assert.equal(found.length, 1)
    assert.match(found[0]!.found, sentence)
    assert.match(found[0]!.cure, cure)
  })
}
