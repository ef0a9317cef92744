/**
 * Sends one kind of request to an S3 endpoint and prints what it cost this process: arguments are a JSON of StoreLoad.
 * `client` is the store itself, or undici with the SDK's signer and nothing else, the bare way to do the same.
 */
import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import { Pool } from 'undici'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { newStoreSockets } from '#cli/platform/store-sockets.ts'
import { crc32c } from '#shared/binary/crc32c.ts'
import { silentLog } from '#shared/log/log.ts'
import { storeSettings } from '#shared/store/config.ts'
import { openS3Store } from '#shared/store/s3/s3-store.ts'
import { percentile } from '#cli/load/produce-load.ts'
import type { StoreCost, StoreLoad } from './store-load.ts'

const { client, call, bytes, pieces, count, concurrency, endpoint, credentials } = JSON.parse(process.argv[2]!) as StoreLoad
const WARM_COUNT = Math.ceil(count / 4)
const BUCKET = 'bench'
const chunks = Array.from({ length: pieces }, (_, n) => Buffer.allocUnsafeSlow(bytes / pieces).fill(n))

type Request = (n: number) => Promise<unknown>

async function newStoreRequest(): Promise<Request> {
  const settings = { ...storeSettings.defaults(), s3Endpoint: endpoint, s3Region: 'us-east-1' }
  const newSocketSource = newStoreSockets({ connectTimeoutMs: 3_000, caPem: null })
  const store = await openS3Store({
    address: { bucket: BUCKET, prefix: '' }, settings, credentials, newSocketSource, runtime: nodeRuntime, log: silentLog, countAttempt: () => {}
  })
  const id = process.hrtime.bigint()
  return call === 'put' ? (n) => store.putIfAbsent(`chunks/${id}/${n}`, chunks) : () => store.get('chunks/read', { start: 0, end: bytes })
}

class Sha256 {
  readonly #hash
  constructor(secret?: unknown) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string)
  }
  update(data: unknown): void { this.#hash.update(data as string) }
  digest(): Promise<Uint8Array> { return Promise.resolve(this.#hash.digest()) }
  reset(): void {}
}

/** One buffer as body, the answer copied into one buffer: no list of chunks, no retry, no hedge, nothing counted. */
function newBareRequest(): Request {
  const pool = new Pool(endpoint, { connections: concurrency, pipelining: 1, allowH2: false })
  const { hostname, host } = new URL(endpoint)
  const signer = new SignatureV4({ region: 'us-east-1', service: 's3', sha256: Sha256, uriEscapePath: false, applyChecksum: false, credentials })
  const body = Buffer.concat(chunks)
  const id = process.hrtime.bigint()
  return async (n) => {
    const path = call === 'put' ? `/${BUCKET}/chunks/${id}/${n}` : `/${BUCKET}/chunks/read`
    const headers: Record<string, string> = { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }
    const method = call === 'put' ? 'PUT' as const : 'GET' as const
    if (call === 'put') {
      const sum = Buffer.alloc(4)
      sum.writeUInt32BE(crc32c(body))
      Object.assign(headers, { 'if-none-match': '*', 'x-amz-checksum-crc32c': sum.toString('base64') })
    } else headers['range'] = `bytes=0-${bytes - 1}`
    const signed = await signer.sign({ method, protocol: 'http:', hostname, path, query: {}, headers })
    const answer = Buffer.allocUnsafeSlow(call === 'put' ? 0 : bytes)
    let filled = 0
    await new Promise<void>((resolve, reject) => {
      pool.dispatch({ method, path, headers: signed.headers, body: call === 'put' ? body : null }, {
        onRequestStart() {},
        onResponseStart(_, status) { if (status >= 300) reject(new Error(`status ${status}`)) },
        onResponseData(_, chunk) { answer.set(chunk, filled); filled += chunk.length },
        onResponseEnd() { resolve() },
        onResponseError(_, error) { reject(error) }
      })
    })
  }
}

const request = client === 'store' ? await newStoreRequest() : newBareRequest()
const latenciesMs: number[] = []

async function run(total: number, latencies: number[] | null): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (next < total) {
      const number = next++
      const startMs = performance.now()
      await request(latencies === null ? number : WARM_COUNT + number)
      latencies?.push(performance.now() - startMs)
    }
  }))
}

await run(WARM_COUNT, null)
const before = process.cpuUsage()
const startMs = performance.now()
await run(count, latenciesMs)
const seconds = (performance.now() - startMs) / 1_000
const cpu = process.cpuUsage(before)
latenciesMs.sort((a, b) => a - b)
const cost: StoreCost = {
  cpuMsPerCall: (cpu.user + cpu.system) / 1_000 / count, p50Ms: percentile(latenciesMs, 0.5), p99Ms: percentile(latenciesMs, 0.99),
  mbPerSecond: count * bytes / 1e6 / seconds
}
process.stdout.write(JSON.stringify(cost), () => process.exit(0))
