/** Settings of the object store where it is a bucket: `--store s3://bucket/prefix`. */
import { bool, choice, defineSettings, int, text } from '#shared/config/settings.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

export const storeSettings = defineSettings('STORE', {
  // where it is
  s3Region: text({ default: '', doc: 'Region of the bucket. Without it AWS_REGION, AWS_DEFAULT_REGION or the profile say it, and where the server names another one that is used.' }),
  s3Endpoint: text({ default: '', doc: 'URL of an S3-compatible server; http: means without TLS. Without it AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile say it, else it is AWS.' }),
  s3Addressing: choice({ choices: ['auto', 'path', 'host'], default: 'auto', doc: 'Whether the bucket stands in the path or in the host name; auto: in the host name at AWS, in the path everywhere else.' }),
  s3CaFile: text({ default: '', doc: 'PEM file of certificates that the store\'s certificate may be signed by, besides those the system trusts. Without it AWS_CA_BUNDLE says it.' }),
  s3SignPayload: bool({ default: false, doc: 'Signs the SHA-256 of every body, for servers that refuse UNSIGNED-PAYLOAD; costs CPU. CRC-32C protects the bytes in either case.' }),
  // how much at a time
  s3PutsMax: int({ default: 16, min: 1, max: 1_024, doc: 'PUTs under way at a time; the others wait.' }),
  s3GetsMax: int({ default: 64, min: 1, max: 4_096, doc: 'GETs under way at a time; the others wait.' }),
  s3OtherCallsMax: int({ default: 8, min: 1, max: 1_024, doc: 'LIST, HEAD and DELETE calls under way at a time; the others wait.' }),
  s3WaitingMax: int({ default: 4_096, min: 1, max: 1_000_000, doc: 'Calls of one kind that wait for their turn; one more is STORE_UNAVAILABLE at once.' }),
  // how long
  s3ConnectTimeoutMs: int({ unit: 'ms', default: 3 * SECOND, min: 10, max: MINUTE, doc: 'Wait for a connection, TLS included.' }),
  s3AnswerTimeoutMs: int({ unit: 'ms', default: 5 * SECOND, min: 10, max: 10 * MINUTE, doc: 'Wait for an answer after the last byte of the request, and for the next bytes of one that has begun.' }),
  s3CallTimeoutMs: int({ unit: 'ms', default: 15 * SECOND, min: 10, max: 10 * MINUTE, doc: 'Longest life of a call with all its attempts; then its outcome is unknown.' }),
  s3AttemptsMax: int({ default: 6, min: 1, max: 100, doc: 'Attempts of one call; hedges do not count.' }),
  s3BackoffMinMs: int({ unit: 'ms', default: 50, min: 1, max: MINUTE, doc: 'Longest wait before the second attempt; doubles. Half of a wait is chance.' }),
  s3BackoffMaxMs: int({ unit: 'ms', default: 2 * SECOND, min: 1, max: 10 * MINUTE, doc: 'Longest wait before any further attempt.' }),
  // hedges
  s3HedgePercentMax: int({ default: 5, min: 0, max: 100, doc: 'Share of PUTs and GETs that may be sent a second time because the first is slower than 99 of 100; 0: none.' }),
  s3HedgeMinMs: int({ unit: 'ms', default: 100, min: 1, max: MINUTE, doc: 'No request is sent a second time earlier than this.' })
}, (s) => s.s3BackoffMinMs <= s.s3BackoffMaxMs || 's3BackoffMinMs must not exceed s3BackoffMaxMs')

export type StoreSettings = ReturnType<typeof storeSettings.load>
