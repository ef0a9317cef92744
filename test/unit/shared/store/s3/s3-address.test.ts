import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { parseS3Address, urlPathOf } from '#shared/store/s3/s3-address.ts'

test('s3-address: bucket and prefix', () => {
  assert.deepEqual(parseS3Address('s3://my-bucket'), { bucket: 'my-bucket', prefix: '' })
  assert.deepEqual(parseS3Address('s3://my-bucket/'), { bucket: 'my-bucket', prefix: '' })
  assert.deepEqual(parseS3Address('s3://my.bucket/a/b=c'), { bucket: 'my.bucket', prefix: 'a/b=c/' })
  assert.deepEqual(parseS3Address('s3://my.bucket/a/'), { bucket: 'my.bucket', prefix: 'a/' })
})

test('s3-address: what is none is refused with the reason', () => {
  for (const store of ['s3://', 's3:bucket', 's3://ab', 's3://My-Bucket', 's3://bucket-a/a//b', 's3://bucket-a/../b', 's3://bucket-a/ä', 's3://use1--x-s3', `s3://bucket-a/${'x'.repeat(200)}`]) {
    assert.throws(() => parseS3Address(store), (error) => error instanceof ZonewiseError && error.code === 'SETTING_INVALID' && typeof error.context['why'] === 'string', store)
  }
})

test('s3-address: of the characters of a key only = is escaped', () => {
  assert.equal(urlPathOf('a.b_c-D/e=1=2'), 'a.b_c-D/e%3D1%3D2')
})
