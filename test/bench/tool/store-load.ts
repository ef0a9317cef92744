/** Runs requests to an S3 endpoint in a process of its own, so that its CPU is the client's alone. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export type StoreLoad = {
  readonly client: 'store' | 'bare'
  readonly call: 'put' | 'get'
  readonly bytes: number // of one request
  readonly pieces: number // that a body is made of
  readonly count: number
  readonly concurrency: number
  readonly endpoint: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}
export type StoreCost = { readonly cpuMsPerCall: number; readonly p50Ms: number; readonly p99Ms: number; readonly mbPerSecond: number }

const LOAD = fileURLToPath(new URL('store-load.child.ts', import.meta.url))
const SINK = fileURLToPath(new URL('store-sink.child.ts', import.meta.url))

export async function storeLoad(load: StoreLoad): Promise<StoreCost> {
  const child = spawn(process.execPath, [LOAD, JSON.stringify(load)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => { output += bytes.toString() })
  const code = await new Promise<number | null>((resolve) => { child.on('close', resolve) })
  if (code !== 0) throw new Error(`the load ended with ${code}`)
  return JSON.parse(output) as StoreCost
}

export type Sink = { readonly endpoint: string; end(): void }

export async function startSink(): Promise<Sink> {
  const child: ChildProcess = spawn(process.execPath, [SINK], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<string>((resolve) => { child.stdout!.once('data', (bytes: Buffer) => { resolve(bytes.toString().trim()) }) })
  return { endpoint: `http://127.0.0.1:${port}`, end: () => { child.kill('SIGKILL') } }
}
