/**
 * What the SDK knows of a bucket in one region: where its requests go, how they are signed, and with whose credentials.
 * The SDK builds one GET that is never sent; the hot calls copy its origin and path. Its own calls go out over the same
 * connections as the hot ones, so that they are trusted, timed and counted alike.
 */
import { GetObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import type { Clock } from '../../runtime/runtime.ts'
import type { CountAttempt } from '../store-attempt.ts'
import { Connections, type SocketSource } from './connections.ts'
import type { Credentials } from './credentials.ts'
import { SdkHandler } from './sdk-handler.ts'
import { Signer } from './signer.ts'

export type SessionOptions = {
  readonly bucket: string
  readonly region: string | null // null: what environment and profile say
  readonly endpoint: string | null // null: what environment and profile say, else AWS
  readonly addressing: 'auto' | 'path' | 'host'
  readonly credentials: Credentials | (() => Promise<Credentials>) | null // null: the chain of the SDK
  readonly answerTimeoutMs: number
  readonly newSocketSource: () => SocketSource
  readonly clock: Clock
  readonly countAttempt: CountAttempt
}

const REGION_UNKNOWN = 'us-east-1' // a bucket elsewhere answers with its own region
const AWS_HOST = /\.amazonaws\.(com|com\.cn|eu)$/
const CAPTURED_KEY = 'k'
const SCOPE = /Credential=[^/]+\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request/

export class S3Session {
  readonly region: string
  readonly client: S3Client
  readonly connections: Connections
  readonly signer: Signer
  /** What stands before the key in the path of a request; begins and ends with '/'. */
  readonly path: string
  readonly endpoint: string // for people

  private constructor(client: S3Client, target: Target, connections: Connections, clock: Clock) {
    this.client = client
    this.connections = connections
    this.region = target.region
    this.path = target.path
    this.endpoint = target.origin
    this.signer = new Signer({ host: target.host, region: target.region, service: target.service, clock })
  }

  /** Rejects with the SDK's error where it finds no credentials. */
  static async open(options: SessionOptions): Promise<S3Session> {
    const { bucket, addressing, endpoint, answerTimeoutMs, newSocketSource, clock, countAttempt } = options
    const handler = new SdkHandler(countAttempt)
    const isPath = addressing === 'path' || (addressing === 'auto' && endpoint !== null)
    let client = await newClient(options, handler, isPath)
    let target = await targetOf(client, bucket)
    if (addressing === 'auto' && endpoint === null && !AWS_HOST.test(target.hostname)) {
      client = await newClient(options, handler, true) // the profile names another server
      target = await targetOf(client, bucket)
    }
    const connections = new Connections({ origin: target.origin, answerTimeoutMs, newSocketSource })
    handler.attach(connections, target.path)
    return new S3Session(client, target, connections, clock)
  }

  /** The credentials of the SDK's chain; it keeps them until shortly before they expire. */
  findCredentials(options: { readonly forceRefresh: boolean }): Promise<Credentials> {
    return (this.client.config.credentials as (options: object) => Promise<Credentials>)(options)
  }

  async close(): Promise<void> {
    await this.connections.destroy()
    this.client.destroy()
  }
}

async function newClient(
  options: SessionOptions, requestHandler: SdkHandler, forcePathStyle: boolean
): Promise<S3Client> {
  const { region, endpoint, credentials } = options
  const make = (given: string | null): S3Client => new S3Client({
    requestHandler: requestHandler as NonNullable<S3ClientConfig['requestHandler']>, forcePathStyle, maxAttempts: 1,
    ...(given !== null && { region: given }), ...(endpoint !== null && { endpoint }),
    ...(credentials !== null && { credentials })
  })
  const client = make(region)
  return region !== null || await client.config.region().then(() => true, () => false) ? client : make(REGION_UNKNOWN)
}

type Target = {
  readonly origin: string; readonly host: string; readonly hostname: string; readonly path: string
  readonly region: string; readonly service: string
}

type Captured = { readonly protocol: string; readonly hostname: string; readonly port?: number; readonly path: string
  readonly headers: Readonly<Record<string, string>> }

/** Lets the SDK build and sign a request for a key of `bucket`, and reads off where it would have gone. */
async function targetOf(client: S3Client, bucket: string): Promise<Target> {
  const command = new GetObjectCommand({ Bucket: bucket, Key: CAPTURED_KEY })
  let captured: Captured | null = null
  command.middlewareStack.add(
    () => async ({ request }) => {
      captured = request as Captured
      return { response: {}, output: { $metadata: {} } }
    },
    { step: 'finalizeRequest', priority: 'low', name: 'capture' } // the last before it would be sent
  )
  await client.send(command)
  const { protocol, hostname, port, path, headers } = captured!
  const [, region = '', service = ''] = SCOPE.exec(headers['authorization'] ?? '') ?? []
  const host = port === undefined ? hostname : `${hostname}:${port}`
  return { origin: `${protocol}//${host}`, host, hostname, path: path.slice(0, -CAPTURED_KEY.length), region, service }
}
