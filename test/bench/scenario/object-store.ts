/** PUT and GET of the S3 store beside undici with the SDK's signer and nothing else, to a bare sink; then to a real server. */
import { S3Server } from '#infra/local/s3-server.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { figure } from '../tool/figure.ts'
import { type StoreCost, type StoreLoad, startSink, storeLoad } from '../tool/store-load.ts'
import type { Figure, Scenario } from './scenario.ts'

const KiB = 1_024
const MiB = 1_024 * KiB
const CONCURRENCY = 4
const NOBODY = { accessKeyId: 'bench', secretAccessKey: 'bench' }

type Case = Pick<StoreLoad, 'call' | 'bytes' | 'pieces' | 'count'> & { readonly name: string }

const CASES: readonly Case[] = [
  { name: 'PUT 8 MiB of 128 chunks', call: 'put', bytes: 8 * MiB, pieces: 128, count: 120 },
  { name: 'PUT 8 MiB of 4,096 chunks', call: 'put', bytes: 8 * MiB, pieces: 4_096, count: 80 },
  { name: 'PUT 100 KiB of 2 chunks', call: 'put', bytes: 100 * KiB, pieces: 2, count: 4_000 },
  { name: 'ranged GET 1 MiB', call: 'get', bytes: MiB, pieces: 1, count: 800 }
]

export const objectStoreScenario: Scenario = {
  name: 'object-store',
  doc: 'client CPU and latency of the S3 store, 4 calls at a time; bare: undici with the SDK\'s signer, one buffer',
  async run({ full }) {
    const rounds = full ? 9 : 5
    const sink = await startSink()
    try {
      return [...await besideBare(sink.endpoint, rounds), ...await againstServer()]
    } finally {
      sink.end()
    }
  }
}

async function besideBare(endpoint: string, rounds: number): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const { name, ...one } of CASES) {
    const bare: StoreCost[] = []
    const store: StoreCost[] = []
    for (let round = 0; round < rounds; round++) { // in turns: what else the machine does meets both
      bare.push(await storeLoad({ ...one, client: 'bare', concurrency: CONCURRENCY, endpoint, credentials: NOBODY }))
      store.push(await storeLoad({ ...one, client: 'store', concurrency: CONCURRENCY, endpoint, credentials: NOBODY }))
    }
    const [bareMs, storeMs] = [median(bare, 'cpuMsPerCall'), median(store, 'cpuMsPerCall')]
    figures.push(
      figure(`${name}, bare CPU`, bareMs, 'ms'), figure(`${name}, CPU`, storeMs, 'ms'),
      figure(`${name}, CPU over bare`, storeMs / bareMs, '', one.pieces > 1_000 ? {} : { max: 1.2 }),
      figure(`${name}, p50`, median(store, 'p50Ms'), 'ms'), figure(`${name}, p99`, median(store, 'p99Ms'), 'ms'),
      figure(`${name}, bare p99`, median(bare, 'p99Ms'), 'ms')
    )
  }
  return figures
}

async function againstServer(): Promise<Figure[]> {
  const server = await S3Server.start({ folder: temporaryFolder(), buckets: ['bench'], progress: (line) => { process.stdout.write(`  ${line}\n`) } })
  try {
    const figures: Figure[] = []
    for (const { name, ...one } of CASES.filter(({ call }) => call === 'put')) {
      const load: StoreLoad = { ...one, count: Math.ceil(one.count / 4), client: 'store', concurrency: CONCURRENCY, endpoint: server.endpoint, credentials: server.credentials }
      const cost = await storeLoad(load)
      figures.push(figure(`versitygw: ${name}, p50`, cost.p50Ms, 'ms'), figure(`versitygw: ${name}, p99`, cost.p99Ms, 'ms'), figure(`versitygw: ${name}`, cost.mbPerSecond, 'MB/s'))
    }
    return figures
  } finally {
    await server.stop()
  }
}

function median(costs: readonly StoreCost[], name: keyof StoreCost): number {
  const sorted = costs.map((cost) => cost[name]).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}
