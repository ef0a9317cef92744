/** `s3://bucket/prefix`: a bucket, and where in it the keys of one cluster begin: clusters can share a bucket. */
import { ZonewiseError } from '../../errors/zonewise-error.ts'
import { isKey } from '../key.ts'

export type S3Address = {
  readonly bucket: string
  readonly prefix: string // empty, or it ends in '/'
}

const SCHEME = 's3://'
const PREFIX_BYTES_MAX = 120 // S3 allows keys of 1,024 bytes; KEY_BYTES_MAX of them are ours
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const DIRECTORY_BUCKET = /--x-s3$/

/** @throws ZonewiseError SETTING_INVALID */
export function parseS3Address(store: string): S3Address {
  const refuse = (why: string): ZonewiseError =>
    new ZonewiseError('SETTING_INVALID', '--store is no s3://bucket/prefix', { store, why })
  if (!store.startsWith(SCHEME)) throw refuse('it does not begin with s3://')
  const [bucket = '', ...rest] = store.slice(SCHEME.length).split('/')
  if (!BUCKET.test(bucket)) throw refuse('a bucket has 3 to 63 of the characters a-z, 0-9, . and -')
  if (DIRECTORY_BUCKET.test(bucket))
    throw refuse('directory buckets (S3 Express) list without order: use a general purpose bucket')
  const prefix = rest.join('/').replace(/\/$/, '')
  if (prefix === '') return { bucket, prefix: '' }
  if (!isKey(prefix) || prefix.length > PREFIX_BYTES_MAX)
    throw refuse(`a prefix has at most ${PREFIX_BYTES_MAX} characters A-Z, a-z, 0-9, ., _, -, = and / between parts`)
  return { bucket, prefix: `${prefix}/` }
}

/** A key as it stands in a URL and in the signature: of our characters only `=` is escaped. */
export function urlPathOf(key: string): string {
  return key.includes('=') ? key.replaceAll('=', '%3D') : key
}
