/** The ceiling of the same run: the file store alone, in a process of its own, chunks of the size that ingest makes. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

export type BarePut =
  { readonly mbPerSecond: number; readonly cpuSecondsPerGb: number; readonly p50Ms: number; readonly p99Ms: number }
export type BarePutOptions = {
  readonly chunkBytes: number; readonly concurrency: number; readonly seconds: number; readonly bytesPerSecond?: number
}

const CHILD = fileURLToPath(new URL('bare-put.child.ts', import.meta.url))

export async function barePut(
  { chunkBytes, concurrency, seconds, bytesPerSecond = 0 }: BarePutOptions
): Promise<BarePut> {
  const args = [CHILD, temporaryFolder(), ...[chunkBytes, concurrency, seconds, bytesPerSecond].map(String)]
  const env = { ...process.env, UV_THREADPOOL_SIZE: '16' }
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => { output += bytes.toString() })
  const code = await new Promise<number | null>((resolve) => { child.on('close', resolve) })
  if (code !== 0) throw new Error(`the bare store ended with ${code}`)
  return JSON.parse(output) as BarePut
}
