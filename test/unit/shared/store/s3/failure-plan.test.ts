import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RenewalFailed } from '#shared/store/s3/credentials.ts'
import { type Failure, failureOf, failureOfError, REFUSALS, verdictOn } from '#shared/store/s3/failure-plan.ts'

const REGION = 'eu-west-1'
const xml = (code: string, more = ''): string => `<?xml version="1.0"?><Error><Code>${code}</Code><Message>says &quot;${code}&quot;</Message>${more}</Error>`
const verdict = (status: number, code = '', headers: Record<string, string> = {}, more = ''): string => {
  const found = verdictOn(failureOf(status, headers, code === '' ? '' : xml(code, more)), REGION)
  return found.kind === 'refused' ? `refused: ${found.refusal}` : found.kind === 'region' ? `region ${found.region}` : found.kind
}

test('failure-plan: what each answer means', () => {
  const table: readonly (readonly [string, number, string?, Record<string, string>?, string?])[] = [
    ['again', 503, 'SlowDown'], ['again', 500, 'InternalError'], ['again', 599], ['again', 429], ['again', 408], ['again', 409, 'ConditionalRequestConflict'],
    ['again', 400, 'RequestTimeout'], ['again', 400, 'BadDigest'],
    ['exists', 412, 'PreconditionFailed'], ['missing', 404, 'NoSuchKey'], ['missing', 404], ['refused: call', 404, 'NoSuchUpload'], ['renew credentials', 404, 'XAdminUserNotFound'], ['refused: bucket', 404, 'NoSuchBucket'],
    ['beyond end', 416, 'InvalidRange'], ['full', 507],
    ['refused: clock', 403, 'RequestTimeTooSkewed'], ['renew credentials', 403, 'InvalidAccessKeyId'], ['renew credentials', 400, 'ExpiredToken'],
    ['refused: permission', 403, 'AccessDenied'], ['refused: permission', 403], ['refused: call', 400, 'InvalidArgument'], ['refused: call', 501, 'NotImplemented'],
    ['region us-west-2', 400, 'AuthorizationHeaderMalformed', {}, '<Region>us-west-2</Region>'],
    ['region us-west-2', 301, 'PermanentRedirect', { 'x-amz-bucket-region': 'us-west-2' }],
    ['region us-west-2', 400, '', { 'x-amz-bucket-region': 'us-west-2' }],
    ['region us-west-2', 307, '', { location: 'https://b.s3.us-west-2.amazonaws.com/key' }],
    ['region us-gov-west-1', 307, '', { location: 'https://s3-us-gov-west-1.amazonaws.com/b/key' }],
    ['refused: region', 301, 'PermanentRedirect'],
    ['refused: permission', 403, 'AccessDenied', { 'x-amz-bucket-region': REGION }], // it says so of the right region, too
    ['again', 503, 'SlowDown', { 'x-amz-bucket-region': 'us-west-2' }]
  ]
  for (const [expected, status, code, headers, more] of table) assert.equal(verdict(status, code, headers, more), expected, `${status} ${code ?? ''}`)
})

test('failure-plan: errors of sockets, however deep', () => {
  const coded = (code: string): Error => Object.assign(new Error('of the socket'), { code })
  const kind = (error: unknown): string => {
    const found = verdictOn(failureOfError(error), REGION)
    return found.kind === 'refused' ? found.refusal : found.kind
  }
  assert.equal(kind(coded('ECONNRESET')), 'again')
  assert.equal(kind(coded('UND_ERR_HEADERS_TIMEOUT')), 'again')
  assert.equal(kind(new Error('outer', { cause: coded('CERT_HAS_EXPIRED') })), 'tls')
  assert.equal(kind(Object.assign(new Error('no key'), { name: 'CredentialsProviderError' })), 'no credentials')
  assert.equal(kind(new RenewalFailed(Object.assign(new Error('away'), { name: 'CredentialsProviderError' }))), 'again')
  assert.equal(kind('not even an error'), 'again')
  assert.equal(kind(coded('constructor')), 'again')
})

test('failure-plan: what the store says is read, and bounded', () => {
  const found: Failure = failureOf(403, { date: 'Thu, 26 Nov 2026 10:00:00 GMT' }, xml('AccessDenied'))
  assert.equal(found.message, 'says "AccessDenied"')
  assert.equal(found.serverMs, Date.UTC(2026, 10, 26, 10))
  assert.ok(failureOf(400, {}, `<Error><Code>X</Code><Message>${'m'.repeat(500)}</Message></Error>`).message.length <= 200)
  assert.deepEqual(failureOf(400, {}, '<html>not <Code> of ours</html>').code, '')
})

test('failure-plan: each refusal has a sentence and a cure', () => {
  for (const { message, cure } of Object.values(REFUSALS)) {
    assert.match(message, /^[a-z].*[^.]$/)
    assert.ok(cure.length > 10)
  }
})
