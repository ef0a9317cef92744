/** Checks SigV4 by the book, with nothing of the SDK: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
import { createHash, createHmac } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

export type KeyPair = { readonly accessKeyId: string; readonly secretAccessKey: string }
export type SignatureProblem = 'InvalidAccessKeyId' | 'SignatureDoesNotMatch' | 'RequestTimeTooSkewed' | 'AuthorizationHeaderMalformed'

const AUTHORIZATION = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
const SKEW_MS_MAX = 15 * 60_000
const MUST_BE_SIGNED = ['host', 'x-amz-content-sha256', 'x-amz-date']

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** null: the signature is right, for `region`. */
export function checkSignature(request: IncomingMessage, key: KeyPair, region: string, nowMs: number): SignatureProblem | null {
  const header = (name: string): string => String(request.headers[name] ?? '')
  const [, keyId, day, signedRegion, service, names, signature] = AUTHORIZATION.exec(header('authorization')) ?? []
  if (keyId === undefined) return 'AuthorizationHeaderMalformed'
  if (keyId !== key.accessKeyId) return 'InvalidAccessKeyId'
  if (signedRegion !== region || service !== 's3') return 'AuthorizationHeaderMalformed'
  const at = header('x-amz-date')
  const sentMs = Date.parse(at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (!(Math.abs(sentMs - nowMs) <= SKEW_MS_MAX)) return 'RequestTimeTooSkewed'
  const signedNames = names!.split(';')
  const allAmz = Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'))
  if (![...MUST_BE_SIGNED, ...allAmz].every((name) => signedNames.includes(name))) return 'SignatureDoesNotMatch'
  const [path = '', query = ''] = request.url!.split('?')
  const canonical = [
    request.method, path, query.split('&').filter((part) => part !== '').sort().join('&'),
    ...signedNames.map((name) => `${name}:${header(name).trim().replace(/ +/g, ' ')}`), '', names, header('x-amz-content-sha256')
  ].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', at, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const signingKey = hmac(hmac(hmac(hmac(`AWS4${key.secretAccessKey}`, day!), region), 's3'), 'aws4_request')
  return hmac(signingKey, toSign).toString('hex') === signature ? null : 'SignatureDoesNotMatch'
}
