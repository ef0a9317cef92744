/**
 * A twin of S3 for tests: one bucket in memory behind node:http, with conditional writes, checksums and signatures
 * checked as S3 does, and faults to order. It passes the conformance suite of stores.
 */
import { createHash } from 'node:crypto'
import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { crc32c } from '#shared/binary/crc32c.ts'
import { checkSignature, type KeyPair } from './signature-check.ts'

export const FAKE_KEY: KeyPair = { accessKeyId: 'AKIAFAKE', secretAccessKey: 'fake secret' }
export const FAKE_BUCKET = 'bucket-a'
export const FAKE_REGION = 'eu-west-1'

/** What happens to one request. Without `effect` nothing is done to the bucket. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly code?: string; readonly headers?: Record<string, string>; readonly body?: string }
  | { readonly kind: 'reset' } // the connection ends when the request has come
  | { readonly kind: 'early refusal' } // 503 before the body is read, which is then taken slowly
  | { readonly kind: 'half body' } // ... when half of its body has come
  | { readonly kind: 'lost reply' } // the request is carried out, then the connection ends
  | { readonly kind: 'slow'; readonly ms: number } // carried out late
  | { readonly kind: 'slow reply'; readonly ms: number } // carried out at once, answered late
  | { readonly kind: 'hang' } // no answer ever
  | { readonly kind: 'truncated' } // half of the body of a GET, then the connection ends
  | { readonly kind: 'damaged' } // a byte of the body of a GET is another

/** What the server does not do, for the probe. */
export type FakeLacks = {
  conditions?: boolean; raceConditions?: boolean; order?: boolean; ranges?: boolean; fresh?: boolean; deletes?: boolean
}

export type FakeObject = { readonly bytes: Buffer; readonly metadata: Record<string, string>; readonly modifiedMs: number }
export type FakeRequest = { readonly method: string; readonly key: string; readonly headers: IncomingMessage['headers']; readonly socketId: number }

export type FakeOptions = {
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly region?: string
  readonly clockOffsetMs?: number
}

export class FakeS3 {
  readonly objects = new Map<string, FakeObject>()
  readonly requests: FakeRequest[] = []
  readonly lacks: FakeLacks = {}
  key: KeyPair = FAKE_KEY
  /** Before every answer. */
  delayMs = 0
  /** Requests whose client closed before they were answered. */
  cancelledCount = 0
  /** Body bytes that came after an early refusal. */
  lateBytes = 0
  readonly #lateByteValues = new Set<number>()
  readonly #faults: { readonly method: string; readonly fault: Fault }[] = []
  readonly #region: string
  readonly #clockOffsetMs: number
  readonly #server: Server
  readonly #tls: boolean
  readonly #socketIds = new Map<Socket, number>()

  private constructor({ tls, region = FAKE_REGION, clockOffsetMs = 0 }: FakeOptions) {
    this.#region = region
    this.#clockOffsetMs = clockOffsetMs
    this.#tls = tls !== undefined
    const listener: RequestListener = (request, response) => {
      this.#serve(request, response).catch((error: unknown) => { response.destroy(error as Error) })
    }
    this.#server = tls === undefined ? createHttpServer(listener) : createHttpsServer(tls, listener) as unknown as Server
    this.#server.on('connection', (socket: Socket) => {
      this.#socketIds.set(socket, this.#socketIds.size)
      socket.on('error', () => {}) // a client that gives up
    })
  }

  static async start(options: FakeOptions = {}): Promise<FakeS3> {
    const fake = new FakeS3(options)
    await new Promise<void>((resolve) => { fake.#server.listen(0, '127.0.0.1', resolve) })
    return fake
  }

  get endpoint(): string {
    return `${this.#tls ? 'https' : 'http'}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Connections made so far. */
  get connectionCount(): number {
    return this.#socketIds.size
  }

  /** Whether `byte` was among those that came after an early refusal. */
  sawByte(byte: number): boolean {
    return this.#lateByteValues.has(byte)
  }

  /** The next `times` requests of `method` fare so. */
  fault(method: 'PUT' | 'GET' | 'HEAD' | 'DELETE' | '*', fault: Fault, times = 1): void {
    for (let n = 0; n < times; n++) this.#faults.push({ method, fault })
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => { this.#server.close(resolve) })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://fake')
    const [, bucket = '', ...rest] = url.pathname.split('/')
    const key = decodeURIComponent(rest.join('/'))
    const method = request.method!
    this.requests.push({ method, key, headers: request.headers, socketId: this.#socketIds.get(request.socket) ?? -1 })
    response.on('close', () => { if (!response.writableFinished) this.cancelledCount += 1 })
    const fault = this.#nextFault(method)
    if (fault?.kind === 'half body') {
      await halfOf(request)
      request.socket.destroy()
      return
    }
    if (fault?.kind === 'early refusal') return this.#refuseEarly(request, response)
    const body = await bodyOf(request)
    if (fault?.kind === 'reset') { request.socket.destroy(); return }
    if (fault?.kind === 'hang') return
    if (this.delayMs > 0) await sleepFor(this.delayMs)
    if (fault?.kind === 'slow') await sleepFor(fault.ms)
    if (fault?.kind === 'status') return fail(response, method, fault.status, fault.code ?? '', fault.headers, fault.body)
    const nowMs = Date.now() + this.#clockOffsetMs
    const problem = checkSignature(request, this.key, this.#region, nowMs)
    if (problem !== null) return this.#refuse(response, method, problem)
    if (bucket !== FAKE_BUCKET) return fail(response, method, 404, 'NoSuchBucket')
    const answer = (): void | Promise<void> => {
      if (method === 'PUT') return this.#put(request, response, key, body)
      if (method === 'DELETE') return this.#delete(response, key)
      if (method === 'GET' && key === '') return this.#list(response, url.searchParams)
      return this.#get(request, response, key, fault)
    }
    if (fault?.kind === 'lost reply') {
      response.end = (() => { request.socket.destroy(); return response }) as ServerResponse['end']
    }
    if (fault?.kind === 'slow reply') {
      const end = response.end.bind(response) as (data?: Uint8Array | string) => ServerResponse
      response.end = ((data?: Uint8Array | string) => { setTimeout(() => end(data), fault.ms).unref(); return response }) as ServerResponse['end']
    }
    await answer()
  }

  /** Answers first and reads on, a piece now and then. */
  async #refuseEarly(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.writeHead(503, { 'content-length': 0 }).end()
    await new Promise<void>((resolve) => {
      request.on('data', (part: Buffer) => {
        this.lateBytes += part.byteLength
        for (const byte of part) this.#lateByteValues.add(byte)
        request.pause()
        setTimeout(() => { request.resume() }, 2)
      })
      request.once('end', resolve)
      request.socket.once('close', () => { this.cancelledCount += 1; resolve() })
    })
  }

  #nextFault(method: string): Fault | null {
    const at = this.#faults.findIndex((one) => one.method === method || one.method === '*')
    return at < 0 ? null : this.#faults.splice(at, 1)[0]!.fault
  }

  #refuse(response: ServerResponse, method: string, problem: string): void {
    const body = `<Region>${this.#region}</Region><ServerTime>${new Date(Date.now() + this.#clockOffsetMs).toISOString()}</ServerTime>`
    if (problem === 'AuthorizationHeaderMalformed') fail(response, method, 400, problem, { 'x-amz-bucket-region': this.#region }, body)
    else fail(response, method, 403, problem, {}, problem === 'RequestTimeTooSkewed' ? body : '')
  }

  async #put(request: IncomingMessage, response: ServerResponse, key: string, bytes: Buffer): Promise<void> {
    const said = request.headers['x-amz-checksum-crc32c']
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32c(bytes))
    if (said !== undefined && said !== sum.toString('base64')) return fail(response, 'PUT', 400, 'BadDigest')
    const content = request.headers['x-amz-content-sha256']
    if (content !== 'UNSIGNED-PAYLOAD' && content !== createHash('sha256').update(bytes).digest('hex'))
      return fail(response, 'PUT', 400, 'XAmzContentSHA256Mismatch')
    const taken = this.objects.has(key)
    if (this.lacks.raceConditions === true) await sleepFor(5)
    if (request.headers['if-none-match'] === '*' && taken && this.lacks.conditions !== true) return fail(response, 'PUT', 412, 'PreconditionFailed')
    const metadata = Object.fromEntries(Object.entries(request.headers).filter(([name]) => name.startsWith('x-amz-meta-')).map(([name, value]) => [name, String(value)]))
    if (this.lacks.fresh !== true || !taken) this.objects.set(key, { bytes, metadata, modifiedMs: Date.now() })
    response.writeHead(200, { etag: '"opaque"' }).end()
  }

  #delete(response: ServerResponse, key: string): void {
    if (this.lacks.deletes !== true) this.objects.delete(key)
    response.writeHead(204).end()
  }

  #get(request: IncomingMessage, response: ServerResponse, key: string, fault: Fault | null): void {
    const held = this.objects.get(key)
    const method = request.method!
    if (held === undefined) return fail(response, method, 404, 'NoSuchKey')
    const { bytes, metadata, modifiedMs } = held
    const headers: Record<string, string> = { ...metadata, 'last-modified': new Date(modifiedMs).toUTCString(), etag: '"opaque"' }
    const range = this.lacks.ranges === true ? null : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
    let [status, part] = [200, bytes]
    if (range !== null) {
      const [first, last] = [Number(range[1]), Math.min(Number(range[2]), bytes.byteLength - 1)]
      if (first >= bytes.byteLength) return fail(response, method, 416, 'InvalidRange')
      status = 206
      part = bytes.subarray(first, last + 1)
      headers['content-range'] = `bytes ${first}-${last}/${bytes.byteLength}`
    } else if (request.headers['x-amz-checksum-mode'] === 'ENABLED') {
      const sum = Buffer.alloc(4)
      sum.writeUInt32BE(crc32c(bytes))
      headers['x-amz-checksum-crc32c'] = sum.toString('base64')
      headers['x-amz-checksum-type'] = 'FULL_OBJECT'
    }
    response.writeHead(status, { ...headers, 'content-length': part.byteLength })
    if (method === 'HEAD') response.end()
    else if (fault?.kind === 'truncated') response.write(part.subarray(0, part.byteLength / 2), () => { request.socket.destroy() })
    else if (fault?.kind === 'damaged') response.end(Buffer.from(part).fill(part[0]! ^ 1, 0, 1))
    else response.end(part)
  }

  #list(response: ServerResponse, query: URLSearchParams): void {
    const prefix = query.get('prefix') ?? ''
    const after = query.get('continuation-token') ?? query.get('start-after') ?? ''
    const max = Number(query.get('max-keys') ?? 1_000)
    const all = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after)
    const sorted = this.lacks.order === true ? all.sort().reverse() : all.sort()
    const page = sorted.slice(0, max)
    const text = (key: string): string => (query.get('encoding-type') === 'url' ? encodeURIComponent(key).replaceAll('%2F', '/') : key)
    const rows = page.map((key) => {
      const { bytes, modifiedMs } = this.objects.get(key)!
      return `<Contents><Key>${text(key)}</Key><LastModified>${new Date(modifiedMs).toISOString()}</LastModified><Size>${bytes.byteLength}</Size></Contents>`
    })
    const more = sorted.length > max ? `<IsTruncated>true</IsTruncated><NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '<IsTruncated>false</IsTruncated>'
    const xml = `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>${more}<KeyCount>${page.length}</KeyCount>${rows.join('')}</ListBucketResult>`
    response.writeHead(200, { 'content-type': 'application/xml' }).end(xml)
  }
}

function fail(response: ServerResponse, method: string, status: number, code: string, headers: Record<string, string> = {}, more = ''): void {
  const xml = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>the fake says ${code}</Message>${more}</Error>`
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(xml) }).end(method === 'HEAD' ? undefined : xml)
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

/** Resolves when half of the body has come. */
async function halfOf(request: IncomingMessage): Promise<void> {
  const half = Number(request.headers['content-length'] ?? 0) / 2
  let bytes = 0
  for await (const part of request) {
    bytes += (part as Buffer).byteLength
    if (bytes >= half) return
  }
}

function sleepFor(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms).unref() }) // who waits for it keeps the process alive
}
