/**
 * What an answer that is no success means, and what to do about it. Pure.
 * Source: Amazon S3 API reference, "Error responses"; conditional writes: 412 = exists, 409 = concurrent write, retry.
 */
export type Failure = {
  readonly status: number // 0: there was no answer
  readonly code: string // the store's, or the socket's; empty where nothing says it
  readonly message: string
  readonly region: string | null // of the bucket, where the store names it
  readonly serverMs: number | null // the store's clock, where it tells
  readonly requestId: string | null // under which the store's operator finds the request
  readonly cause: unknown
}

/** Why a call is refused for good, with what to do: `message` is the error's, `cure` goes into its context. */
export const REFUSALS = {
  credentials: {
    message: 'the object store does not accept the credentials',
    cure: 'give valid ones: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of the machine'
  },
  'no credentials': {
    message: 'there are no credentials for the object store',
    cure: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role'
  },
  clock: {
    message: 'the clock of this machine and that of the object store differ too much',
    cure: 'set the clock of this machine, by NTP'
  },
  bucket: { message: 'there is no such bucket', cure: 'create the bucket, or correct --store' },
  region: { message: 'the bucket is in another region', cure: 'give --s3-region the region of the bucket' },
  permission: {
    message: 'the credentials have no permission for this call',
    cure: 'allow s3:GetObject, s3:PutObject, s3:DeleteObject on the prefix and s3:ListBucket on the bucket'
  },
  tls: {
    message: 'the certificate of the object store is not trusted',
    cure: 'give --s3-ca-file the certificate of who signed it, or correct the host of --s3-endpoint'
  },
  'not http': {
    message: 'what answers there speaks no HTTP',
    cure: 'correct --s3-endpoint: its port, and http: or https:'
  },
  call: {
    message: 'the object store refuses the call',
    cure: 'use a store that speaks the S3 API with conditional writes'
  }
} as const

export type Refusal = keyof typeof REFUSALS

export type Verdict =
  | { readonly kind: 'again' | 'exists' | 'missing' | 'beyond end' | 'full' | 'renew credentials' }
  | { readonly kind: 'region'; readonly region: string }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

const again: Verdict = { kind: 'again' }
const missing: Verdict = { kind: 'missing' }
const refused = (refusal: Refusal): Verdict => ({ kind: 'refused', refusal })

const BY_CODE: Readonly<Record<string, Verdict>> = {
  NoSuchKey: missing,
  NoSuchVersion: missing,
  NotFound: missing,
  NoSuchBucket: refused('bucket'),
  InvalidBucketName: refused('bucket'),
  RequestTimeTooSkewed: refused('clock'),
  InvalidAccessKeyId: { kind: 'renew credentials' },
  SignatureDoesNotMatch: { kind: 'renew credentials' },
  ExpiredToken: { kind: 'renew credentials' },
  InvalidToken: { kind: 'renew credentials' },
  TokenRefreshRequired: { kind: 'renew credentials' },
  XAdminUserNotFound: { kind: 'renew credentials' }, // versitygw, as 404
  CredentialsProviderError: refused('no credentials'),
  // the body was damaged or came too slowly: the next try may fare better
  BadDigest: again,
  XAmzContentChecksumMismatch: again,
  XAmzContentSHA256Mismatch: again,
  IncompleteBody: again,
  RequestTimeout: again,
  SlowDown: again,
  OperationAborted: again,
  ChecksumMismatch: again,
  WrongRange: again,
  RangeIgnored: refused('call'),
  AnswerTooLong: refused('call'),
  // the socket's own
  ERR_TLS_CERT_ALTNAME_INVALID: refused('tls'),
  CERT_HAS_EXPIRED: refused('tls'),
  CERT_NOT_YET_VALID: refused('tls'),
  CERT_UNTRUSTED: refused('tls'),
  DEPTH_ZERO_SELF_SIGNED_CERT: refused('tls'),
  SELF_SIGNED_CERT_IN_CHAIN: refused('tls'),
  UNABLE_TO_GET_ISSUER_CERT: refused('tls'),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: refused('tls'),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: refused('tls'),
  ERR_SSL_WRONG_VERSION_NUMBER: refused('not http'),
  ERR_SSL_PACKET_LENGTH_TOO_LONG: refused('not http')
}

const BY_STATUS: ReadonlyMap<number, Verdict> = new Map([
  [0, again], [301, refused('region')], [307, refused('region')], [308, refused('region')],
  [401, refused('credentials')],
  [403, refused('permission')], [408, again], [409, again], [412, { kind: 'exists' }],
  [416, { kind: 'beyond end' }], [425, again], [429, again],
  [501, refused('call')], [505, refused('not http')], [507, { kind: 'full' }]
])

const REGION_STATUSES: ReadonlySet<number> = new Set([301, 307, 308, 400, 403])

/** `region` is the one that the request was signed for. */
export function verdictOn(failure: Failure, region: string): Verdict {
  const { status, code, region: named } = failure
  if (named !== null && named !== region && REGION_STATUSES.has(status)) return { kind: 'region', region: named }
  if (status === 404 && code === '') return missing // the answer to a HEAD; any other 404 must say what is missing
  const byCode = Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined
  return byCode ?? BY_STATUS.get(status) ?? (status >= 500 ? again : refused('call'))
}

const ELEMENTS = /<(Code|Message|Region|Endpoint|ServerTime)>([^<]{0,512})<\/\1>/g
const REGION_IN_HOST = /(?:^|[./])s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\./
const MESSAGE_LENGTH_MAX = 200

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** Reads what a store says of an error: its XML, and the headers where HEAD has no body. */
export function failureOf(status: number, headers: Headers, body: string): Failure {
  const found: Record<string, string> = {}
  for (const [, name, value] of body.matchAll(ELEMENTS)) found[name!] ??= unescapeXml(value!)
  const header = (name: string): string => (typeof headers[name] === 'string' ? headers[name] : '')
  const inHost = REGION_IN_HOST.exec(found['Endpoint'] ?? '') ?? REGION_IN_HOST.exec(header('location'))
  const region = header('x-amz-bucket-region') || found['Region'] || inHost?.[1] || null
  const serverMs = Date.parse(found['ServerTime'] ?? header('date'))
  return {
    status, code: found['Code'] ?? '', message: (found['Message'] ?? '').slice(0, MESSAGE_LENGTH_MAX), region,
    serverMs: Number.isNaN(serverMs) ? null : serverMs, requestId: header('x-amz-request-id') || null, cause: undefined
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }

function unescapeXml(text: string): string {
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name]!)
}

/** Reads an error of a socket or of the HTTP client; the code may lie deeper. */
export function failureOfError(error: unknown): Failure {
  let code = ''
  let message = String(error)
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if (code === '') message = at.message
    if ('code' in at && typeof at.code === 'string') code = at.code
    else if (at.name === 'CredentialsProviderError') code = at.name
  }
  return { status: 0, code, message: message.slice(0, MESSAGE_LENGTH_MAX), region: null, serverMs: null, requestId: null, cause: error }
}
