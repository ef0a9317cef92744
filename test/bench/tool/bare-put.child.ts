/** Arguments: folder, chunk bytes, concurrency, seconds, bytes per second (0: as fast as it goes). */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { openFileStore } from '#shared/store/file-store.ts'
import { nodeFiles } from '#cli/platform/node-files.ts'
import { percentile } from '#cli/load/produce-load.ts'

const BATCH_BYTES = 64 * 1_024

const folder = process.argv[2]!
const [chunkBytes = 0, concurrency = 1, seconds = 1, bytesPerSecond = 0] = process.argv.slice(3).map(Number)
const store = await openFileStore({ files: nodeFiles, root: `${folder}/store`, handlesMax: 16 })
const batches = Array.from({ length: Math.max(1, Math.round(chunkBytes / BATCH_BYTES)) }, () =>
  randomBytes(Math.min(BATCH_BYTES, chunkBytes)))
const bytesPerPut = batches.length * batches[0]!.length
const latenciesMs: number[] = []
let count = 0
const cpuBefore = process.cpuUsage()
const startMs = performance.now()
const endMs = startMs + seconds * 1_000

await Promise.all(Array.from({ length: concurrency }, async () => {
  while (performance.now() < endMs) {
    const number = count++
    const dueMs = bytesPerSecond === 0 ? 0 : startMs + number * bytesPerPut / bytesPerSecond * 1_000
    if (dueMs > performance.now()) await new Promise((resolve) => { setTimeout(resolve, dueMs - performance.now()) })
    const sentMs = performance.now()
    await store.putIfAbsent(`chunks/bare/${number}`, batches)
    latenciesMs.push(performance.now() - sentMs)
  }
}))

const took = (performance.now() - startMs) / 1_000
const cpu = process.cpuUsage(cpuBefore)
await store.close()
rmSync(folder, { recursive: true, force: true })
latenciesMs.sort((a, b) => a - b)
const bytes = latenciesMs.length * bytesPerPut
process.stdout.write(JSON.stringify({
  mbPerSecond: bytes / 1e6 / took, cpuSecondsPerGb: (cpu.user + cpu.system) / 1e6 / (bytes / 1e9),
  p50Ms: percentile(latenciesMs, 0.5), p99Ms: percentile(latenciesMs, 0.99)
}))
