import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkBatch, newBatchFacts } from '#shared/records/batch-header.ts'
import type { Socket } from '#shared/runtime/network.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import { decodeBatches, encodeBatch, NOBODY } from './client/record-batch.ts'
import { CALM_DISK, DiskFiles } from './engine/disk-files.ts'
import { SimDisk } from './engine/sim-disk.ts'
import { SimNetwork } from './engine/sim-network.ts'
import { Trace } from './engine/trace.ts'
import { VirtualTime } from './engine/virtual-time.ts'

test('virtual-time: fires in order of time, then of making, with promises settled in between', async () => {
  const time = new VirtualTime()
  const seen: string[] = []
  time.after(5, () => { seen.push('b') })
  time.after(
    5,
    () => {
      seen.push('c'); void Promise.resolve().then(() => { seen.push('promise') });
      time.soon(() => { seen.push('soon') })
    }
  )
  time.after(5, () => { seen.push('d') })
  time.after(1, () => { seen.push('a'); time.after(0, () => { seen.push('at once') }) })
  time.after(3, () => { seen.push('never') })()
  await time.run(10)
  assert.deepEqual(seen, ['a', 'at once', 'b', 'c', 'promise', 'soon', 'd'])
  assert.equal(time.nowMs, 10)
})

test('virtual-time: fires thousands of timers in order and stops when told', async () => {
  const time = new VirtualTime()
  const rng = new Rng(3)
  const seen: number[] = []
  for (let i = 0; i < 3_000; i++) {
    const cancel = time.after(rng.below(500), () => { seen.push(time.nowMs) })
    if (i % 3 === 0) cancel()
  }
  await time.run(1_000, () => seen.length === 1_500)
  assert.equal(seen.length, 1_500)
  await time.run(1_000)
  assert.equal(seen.length, 2_000)
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b))
})

test('virtual-time: what is due at one time keeps its order, whenever it was asked for', async () => {
  const time = new VirtualTime()
  const seen: number[] = []
  for (let i = 0; i < 50; i++) time.after(i / 7, () => { time.at(3_813.181_549_295_061_4, () => { seen.push(i) }) })
  await time.run(5_000)
  assert.deepEqual(seen, Array.from({ length: 50 }, (_, i) => i))
})

test('virtual-time: says so when one instant never ends', async () => {
  const time = new VirtualTime()
  const again = (): void => { time.after(0, again) }
  again()
  await assert.rejects(time.run(1), /never ends/)
})

test('sim-network: bytes arrive in order, whole, in pieces that do not outlive the call; a dead host hears nothing', async () => {
  const time = new VirtualTime()
  const network = new SimNetwork(time, new Rng(9), new Trace())
  network.faults.piecesMax = 5
  network.faults.delayMsMax = 50
  const [server, client] = [network.host('server'), network.host('client')]
  const [received, kept, closed]: [number[], Uint8Array[], string[]] = [[], [], []]
  await server.listen('server', 1, () => ({
    data: (bytes) => {
      kept.push(bytes); received.push(...bytes)
    }, drain: () => {}, closed: () => { closed.push('server') }
  }))
  const dialled = client.connect(
    'server', 1, { data: () => {}, drain: () => {}, closed: (error) => { closed.push(`client ${error?.message}`) } }
  )
  await time.run(100)
  const socket = await dialled
  for (let i = 0; i < 20; i++) socket.write([Uint8Array.of(3 * i, 3 * i + 1), Uint8Array.of(3 * i + 2)])
  assert.equal(socket.bufferedBytes, 60)
  await time.run(1_000)
  assert.deepEqual(received, Array.from({ length: 60 }, (_, i) => i))
  assert(kept.every((bytes) => bytes.every((byte) => byte === 0xee)))
  assert.equal(socket.bufferedBytes, 0)
  socket.write([Uint8Array.of(99)])
  server.kill()
  await time.run(2_000)
  assert.equal(received.length, 60)
  assert.deepEqual(closed, ['client connection reset'])
  const refused = client.connect('server', 1, { data: () => {}, drain: () => {}, closed: () => {} })
  await Promise.all([assert.rejects(refused, /refused/), time.run(3_000)])
})

test('sim-network: a paused end gets nothing until it reads on', async () => {
  const time = new VirtualTime()
  const network = new SimNetwork(time, new Rng(2), new Trace())
  let received = 0
  const accepted: { pause(): void; resume(): void }[] = []
  await network.host('s').listen('s', 1, (socket) => {
    accepted.push(socket)
    return { data: (bytes) => { received += bytes.length }, drain: () => {}, closed: () => {} }
  })
  const dialled = network.host('c').connect('s', 1, { data: () => {}, drain: () => {}, closed: () => {} })
  await time.run(10)
  const socket = await dialled
  accepted[0]!.pause()
  socket.write([new Uint8Array(7)])
  await Promise.all([sleep(time, 20), time.run(40)])
  assert.deepEqual([received, socket.bufferedBytes], [0, 7])
  accepted[0]!.resume()
  await time.run(50)
  assert.deepEqual([received, socket.bufferedBytes], [7, 0])
})

/** A server that keeps what it reads, and a client: both on a network whose directions may be cut. */
async function pairOf(seed: number) {
  const time = new VirtualTime()
  const network = new SimNetwork(time, new Rng(seed), new Trace())
  const cuts = new Set<string>()
  network.isCut = (from, to) => cuts.has(`${from}>${to}`)
  const [server, client] = [network.host('s'), network.host('c')]
  const seen = { server: [] as (number | string)[], client: [] as string[] }
  await server.listen('s', 1, () => ({
    data: (bytes) => { seen.server.push(...bytes) }, drain: () => {},
    closed: (error) => { seen.server.push(error?.message ?? 'end') }
  }))
  const dial = (): Promise<Socket> => client.connect('s', 1, {
    data: () => {}, drain: () => { seen.client.push('drained') },
    closed: (error) => { seen.client.push(error?.message ?? 'end') }
  })
  return { time, network, cuts, server, client, seen, dial }
}

async function dialled(time: VirtualTime, dialling: Promise<Socket>, ms = 20): Promise<Socket> {
  await time.run(time.nowMs + ms)
  return dialling
}

test('sim-network: a cut direction holds bytes, and lets them through in order once it heals', async () => {
  const { time, cuts, seen, dial } = await pairOf(4)
  const socket = await dialled(time, dial())
  cuts.add('c>s')
  for (let i = 0; i < 5; i++) {
    socket.write([Uint8Array.of(i)])
    await time.run(time.nowMs + 1_000)
  }
  socket.end()
  await time.run(time.nowMs + 1_000)
  assert.deepEqual([seen.server, socket.bufferedBytes], [[], 5])
  cuts.clear()
  await time.run(time.nowMs + 2_100)
  assert.deepEqual(seen, { server: [0, 1, 2, 3, 4, 'end'], client: ['drained', 'end'] })
})

test('sim-network: what arrives over a link whose way back is cut is not known to have arrived', async () => {
  const { time, cuts, seen, dial } = await pairOf(5)
  const socket = await dialled(time, dial())
  cuts.add('s>c')
  socket.write([Uint8Array.of(7)])
  await time.run(time.nowMs + 5_000)
  assert.deepEqual([seen.server, seen.client, socket.bufferedBytes], [[7], [], 1])
  cuts.clear()
  await time.run(time.nowMs + 2_100)
  assert.deepEqual([seen.client, socket.bufferedBytes], [['drained'], 0])
})

test('sim-network: nobody hears of an end behind a cut, and what was held is lost with it', async () => {
  const { time, cuts, seen, client, dial } = await pairOf(6)
  const socket = await dialled(time, dial())
  cuts.add('c>s')
  socket.write([Uint8Array.of(7)])
  await time.run(time.nowMs + 1_000)
  client.kill()
  await time.run(time.nowMs + 5_000)
  assert.deepEqual(seen.server, [])
  cuts.clear()
  await time.run(time.nowMs + 2_100)
  assert.deepEqual(seen, { server: ['connection reset'], client: [] })
})

test('sim-network: a dial to who is cut off fails, or hangs until it heals or 10 s are over', async () => {
  const outcomes = new Set<string>()
  for (let seed = 1; seed <= 12; seed++) {
    const { time, cuts, seen, dial } = await pairOf(seed)
    cuts.add('s>c')
    const told = dial().then(() => 'connected', (error: Error) => error.message)
    void told.then((outcome) => { outcomes.add(`${outcome} ${time.nowMs < 1_000 ? 'at once' : 'later'}`) })
    await time.run(5_000)
    if (seed % 2 === 0) cuts.clear()
    await time.run(14_000)
    assert.deepEqual(seen, { server: [], client: [] })
  }
  assert.deepEqual(
    [...outcomes].sort(), ['connected later', 'connection timed out later', 'no route to host at once']
  )
})

test('sim-network: a reset tears what is on its way, and first bytes of it arrive', async () => {
  const counts = new Set<number>()
  for (let seed = 1; seed <= 20; seed++) {
    const { time, network, seen, dial } = await pairOf(seed)
    for (let id = 0; id < seed; id++) await dialled(time, dial()) // how it is torn follows from a connection's id
    const socket = await dialled(time, dial())
    network.faults.delayMsMin = 5
    network.faults.delayMsMax = 6
    socket.write([Uint8Array.from({ length: 100 }, (_, i) => i)])
    await time.run(time.nowMs + 1)
    network.resetBetween('c', 's')
    await time.run(time.nowMs + 20)
    const arrived = seen.server.filter((one) => typeof one === 'number')
    assert.deepEqual(arrived, Array.from(arrived, (_, i) => i))
    assert.equal(seen.server.at(-1), 'connection reset')
    counts.add(arrived.length)
  }
  assert(counts.size > 10, `torn at ${[...counts].join(', ')}`)
})

test('sim-network: who stands still hears of nothing, and of all in order when it wakes up', async () => {
  const { time, server, client, seen, dial } = await pairOf(8)
  const socket = await dialled(time, dial())
  const asleepUntil = (ms: number) => (): number => Math.max(0, ms - time.nowMs)
  server.frozenMs = asleepUntil(1_000)
  client.frozenMs = asleepUntil(2_000)
  socket.write([Uint8Array.of(1)])
  socket.write([Uint8Array.of(2)])
  socket.end()
  await time.run(999)
  assert.deepEqual(seen, { server: [], client: [] })
  await time.run(1_990)
  assert.deepEqual(seen, { server: [1, 2, 'end'], client: [] })
  await time.run(2_100)
  assert.deepEqual(seen.client, ['end'])
})

test('sim-network: a write may arrive in two parts at different times, and is taken with the second', async () => {
  let partedCount = 0
  for (let seed = 1; seed <= 20; seed++) {
    const { time, network, seen, dial } = await pairOf(seed)
    network.hasKernels = true
    network.faults.delayMsMax = 30
    for (let id = 1; id < seed; id++) await dialled(time, dial(), 40) // where it is cut follows from a connection's id
    const socket = await dialled(time, dial(), 40)
    let takenAt = -1
    socket.write([Uint8Array.of(1, 2), Uint8Array.of(3, 4, 5)], () => { takenAt = seen.server.length })
    const counts = new Set<number>()
    for (let ms = 0; ms < 80; ms++) {
      await time.run(time.nowMs + 1)
      counts.add(seen.server.length)
    }
    if (counts.size === 3) partedCount += 1
    assert.deepEqual([seen.server, takenAt, socket.bufferedBytes], [[1, 2, 3, 4, 5], 5, 0])
  }
  assert(partedCount > 1 && partedCount < 15, `${partedCount} of 20 in two parts`)
})

test('sim-network: what a process had written may arrive after its death', async () => {
  const ends = new Set<string>()
  for (let seed = 1; seed <= 10; seed++) {
    const { time, network, client, seen, dial } = await pairOf(seed)
    network.hasKernels = true
    const socket = await dialled(time, dial())
    socket.write([Uint8Array.of(1, 2, 3)])
    client.kill()
    await time.run(time.nowMs + 20)
    assert.deepEqual(seen.client, [])
    ends.add(String(seen.server.at(-1)))
    if (seen.server.at(-1) === 'end') assert.deepEqual(seen.server, [1, 2, 3, 'end'])
  }
  assert.deepEqual([...ends].sort(), ['connection reset', 'end'])
})

/** A disk, a machine that uses it, and the way to let it die and come back. */
function diskOf(seed: number) {
  const [time, rng] = [new VirtualTime(), new Rng(seed)]
  const disk = new SimDisk(rng.fork())
  let user = { alive: true, frozenMs: 0 }
  const files = (): DiskFiles =>
    new DiskFiles({ disk, user, time, rng: rng.fork(), faults: CALM_DISK, trace: () => {} })
  const crash = (): void => {
    user.alive = false
    disk.crash()
    user = { alive: true, frozenMs: 0 }
  }
  /** Runs `work` to its end, or until time is over. */
  const run = async <T>(work: Promise<T>): Promise<T | null> => {
    let found: T | null = null
    void work.then((result) => { found = result })
    await time.run(time.nowMs + 1_000)
    return found
  }
  return { disk, files, crash, run }
}

const SECTORS = 4
const page = (byte: number): Uint8Array => new Uint8Array(SECTORS * 512).fill(byte)

test('sim-disk: a crash keeps what was synced, and of the rest any sectors', async () => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 60; seed++) {
    const { files, crash, run } = diskOf(seed)
    await run((async () => {
      const file = await files().create('/data')
      await file.write(0, [page(1)])
      await file.sync()
      await files().syncFolder('/')
      await file.write(0, [page(2)])
    })())
    crash()
    const bytes = await run((async () => (await files().open('/data'))!.read(0, SECTORS * 512))())
    const sectors = Array.from({ length: SECTORS }, (_, i) => [...new Set(bytes!.subarray(i * 512, (i + 1) * 512))])
    assert(sectors.every((values) => values.length === 1), 'a sector is torn')
    seen.add(sectors.join(''))
  }
  for (const whole of ['1111', '2222']) assert(seen.has(whole))
  assert([...seen].some((sectors) => sectors.includes('12')) && [...seen].some((sectors) => sectors.includes('21')))
})

test('sim-disk: names are durable with the sync of their folder; without it the first few of them may be', async () => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 60; seed++) {
    const { files, crash, run } = diskOf(seed)
    await run((async () => {
      await files().makeFolder('/folder')
      await files().syncFolder('/')
      for (const name of ['a', 'b']) await files().create(`/folder/${name}`)
      await files().syncFolder('/folder')
      await files().remove('/folder/a')
      await files().create('/folder/c')
      await files().rename('/folder/b', '/folder/d')
    })())
    crash()
    const names = await run(files().readFolder('/folder'))
    seen.add(names!.map(({ name }) => name).sort().join(''))
  }
  assert.deepEqual([...seen].sort(), ['ab', 'b', 'bc', 'cd'])
})

test('sim-disk: a sync that fails loses for good what it did not write; calls of a dead machine do nothing', async () => {
  const { files, crash, run } = diskOf(3)
  const failing = { ...CALM_DISK, failSyncPerMille: 1_000 }
  const { disk, time } = { disk: new SimDisk(new Rng(4)), time: new VirtualTime() }
  const user = { alive: true, frozenMs: 0 }
  const own = new DiskFiles({ disk, user, time, rng: new Rng(5), faults: failing, trace: () => {} })
  const written = (async () => {
    const file = await own.create('/data')
    await file.write(0, [page(1)])
    await assert.rejects(file.sync(), { code: 'STORE_UNAVAILABLE' })
    failing.failSyncPerMille = 0
    await file.sync()
    assert.deepEqual(await file.read(0, SECTORS * 512), page(1)) // the cache has it all
    await own.syncFolder('/')
  })()
  await Promise.all([written, time.run(1_000)])
  disk.crash()
  assert.notDeepEqual([...disk.find('/data')!.content.subarray(0, SECTORS * 512)], [...page(1)])
  let answered = false
  await run(files().create('/alive'))
  void files().create('/late').then(() => { answered = true })
  crash()
  await run(Promise.resolve())
  assert.deepEqual([answered, (await run(files().info('/late')))], [false, null])
})

test('record-batch: is taken at the door, and comes back as it was', () => {
  const records = [0, 1, 2].map((counter) => ({ producer: 'p-1', counter }))
  const batch = encodeBatch(records, NOBODY, 1_760_000_000_000, 200)
  assert.equal(checkBatch(batch, { messageBytesMax: 10_000, zstdAllowed: true }, newBatchFacts()), 0)
  const found = decodeBatches(
    Buffer.concat(
      [batch, encodeBatch(records, { producerId: 7, producerEpoch: 0, baseSequence: 300 }, 1, 0), batch.subarray(0, 70)]
    )
  )
  assert.deepEqual(found.map(({ record }) => record), [...records, ...records])
  assert.deepEqual(found.map(({ offset }) => offset), [0, 1, 2, 0, 1, 2])
})
