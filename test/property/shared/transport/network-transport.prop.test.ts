/**
 * Goal: however tiny the windows and whatever loads go both ways, calls that call back included, no two nodes ever block
 * each other; whatever breaks, each call is settled once and nothing is left behind.
 * Method: three nodes over the simulator's network under virtual time, with random loads, bounds and faults. Without
 * faults every call must be answered right; virtual time passes only when nothing else can happen, so that a stall shows.
 * Replay one failure: TEST_SEEDS=<seed> npm test -- network-transport.prop
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryPool, releaseAll } from '#shared/binary/memory-pool.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { silentLog } from '#shared/log/log.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { transportSettings, type TransportSettings } from '#shared/transport/config.ts'
import { NetworkTransport } from '#shared/transport/network-transport.ts'
import { askCall, heldAgain, pattern } from '#test/conformance/transport/transport-suite.ts'
import { SimNetwork } from '#test/simulation/engine/sim-network.ts'
import { Trace } from '#test/simulation/engine/trace.ts'
import { VirtualTime } from '#test/simulation/engine/virtual-time.ts'
import { seeds } from '#test/support/seeds.ts'

const NODES = [1, 2, 3] as const
const PORT = 7_000
const DEPTH_MAX = 4
const UNTIL_MS = 600_000

type World = { readonly memory: MemoryPool; readonly time: VirtualTime; readonly trace: Trace; readonly network: SimNetwork; readonly transports: readonly NetworkTransport[]; readonly bugs: unknown[] }

async function open(rng: Rng, settings: TransportSettings): Promise<World> {
  const time = new VirtualTime()
  const trace = new Trace()
  const network = new SimNetwork(time, rng.fork(), trace)
  const bugs: unknown[] = []
  const memory = new MemoryPool({ regionBytes: 2 ** 20, poison: true })
  const nodes = NODES.map((nodeId) => ({
    nodeId, nodeEpoch: 1, zone: `az${nodeId}`, roles: { gateway: true, broker: true }, listeners: [], rpc: { host: `node-${nodeId}`, port: PORT }
  }))
  const transports = nodes.map((info) => {
    const host = network.host(info.rpc.host)
    const transport = new NetworkTransport({
      info, membership: new StaticMembership({ version: 1, clusterId: 'c2ltdWxhdGVkLWNsdXN0ZQ', shardCount: 1, nodes }), memory, ledger: new Ledger(), log: silentLog,
      runtime: { clock: { nowMs: () => Math.floor(time.nowMs), monotonicMs: () => time.nowMs }, timer: time, chance: rng.fork() }, settings,
      dial: ({ host: name, port }, handlers) => host.connect(name, port, handlers), onBug: (error) => { bugs.push(error) }
    })
    void host.listen(info.rpc.host, PORT, (socket) => transport.accept(socket))
    return transport
  })
  return { memory, time, trace, network, transports, bugs }
}

function randomSettings(rng: Rng): TransportSettings {
  return {
    ...transportSettings.defaults(), rpcSecret: 'a secret for all of them', rpcWindowBytes: rng.pick([1, 1_000, 200_000, 1_000_000]),
    rpcAnswerBytesMax: rng.pick([1, 100_000, 10_000_000]), rpcReconnectMinMs: 1, rpcReconnectMaxMs: 20
  }
}

/** A handler answers what it was given, after asking other nodes in its turn as the number says. */
function serve(world: World, rng: Rng): void {
  for (const transport of world.transports) {
    transport.serve(askCall, async ({ number, body }, { payload, signal }) => {
      if (rng.below(4) === 0) await new Promise<void>((resolve) => { world.time.after(rng.below(30), resolve) })
      if (number > 0) {
        const next = NODES[rng.below(NODES.length)]!
        const reply = await transport.call(next, askCall, { number: number - 1, body }, { deadlineMs: 0, payload, signal })
        releaseAll(reply.payload)
      }
      return { response: { text: String(number), body }, payload: heldAgain(payload) }
    })
  }
}

/** What befalls calls: callers give up, and connections break too. */
type Trouble = 'none' | 'given up' | 'all'

type Tally = { answered: number; failed: number; settled: number; readonly codes: Set<string> }

/** Makes `count` calls over some time; returns when each is settled, or virtual time is over. */
async function load(world: World, rng: Rng, count: number, trouble: Trouble): Promise<Tally> {
  const tally: Tally = { answered: 0, failed: 0, settled: 0, codes: new Set() }
  const one = async (): Promise<void> => {
    const size = (): number => rng.below(rng.pick([10, 1_000, 50_000, 300_000, 700_000]))
    const payload = Array.from({ length: rng.below(3) }, () => pattern(size(), rng.below(100)))
    const body = pattern(rng.below(3) === 0 ? size() : 5, rng.below(100))
    const number = rng.below(DEPTH_MAX)
    const stop = new AbortController()
    const givesUp = trouble !== 'none'
    const deadlineMs = givesUp && rng.below(3) === 0 ? 1 + rng.below(200) : 0
    if (givesUp && rng.below(2) === 0) world.time.after(rng.below(100), () => { stop.abort(new Error('enough')) })
    const { transports } = world
    try {
      const reply = await transports[rng.below(NODES.length)]!.call(rng.pick(NODES), askCall, { number, body }, { deadlineMs, payload, signal: stop.signal })
      assert.equal(reply.response.text, String(number))
      assert(body.equals(reply.response.body))
      assert.deepEqual(reply.payload.map(({ length }) => length), payload.map(({ length }) => length))
      assert(payload.every((chunk, i) => chunk.equals(reply.payload[i]!)))
      releaseAll(reply.payload)
      tally.answered += 1
    } catch (error) {
      if (error instanceof ZonewiseError) tally.codes.add(error.code)
      else if (!(error instanceof Error && error.message === 'enough')) throw error
      tally.failed += 1
    } finally {
      tally.settled += 1
    }
  }
  const calls: Promise<void>[] = []
  const begin = (left: number): void => {
    for (let now = Math.min(left, 1 + rng.below(10)); now > 0; now--, left--) calls.push(one())
    if (left > 0) world.time.after(rng.below(20), () => { begin(left) })
  }
  begin(count)
  if (trouble === 'all') {
    const breakSome = (): void => {
      world.network.resetSome(200)
      if (tally.settled < count) world.time.after(rng.below(150), breakSome)
    }
    world.time.after(50, breakSome)
  }
  await world.time.run(UNTIL_MS, () => tally.settled === count)
  assert.equal(tally.settled, count, 'calls were never settled')
  await Promise.all(calls)
  return tally
}

/** `lost` connections are some that broke, or none: one whose calls are not over falls silent and is lost. */
async function assertNothingLeft({ memory, time, transports, bugs }: World, lost: 'some' | 'none'): Promise<void> {
  await time.run(time.nowMs + 10_000)
  for (const transport of transports) {
    const { callsOut, callsIn, queuedBytes, streamsLost } = transport.figures()
    if (lost === 'none') assert.equal(streamsLost, 0)
    assert.deepEqual({ callsOut, callsIn, queuedBytes }, { callsOut: 0, callsIn: 0, queuedBytes: 0 })
  }
  assert.deepEqual(bugs, [])
  assert.equal(memory.heldBytes, 0)
}

for (const seed of seeds(6)) {
  test(`network-transport: random loads both ways through tiny windows never stall (seed ${seed})`, async () => {
    const rng = new Rng(seed)
    const world = await open(rng, randomSettings(rng))
    Object.assign(world.network.faults, { delayMsMin: 0.1, delayMsMax: rng.pick([0.2, 5, 40]), piecesMax: 1 + rng.below(4) })
    serve(world, rng)
    const { answered } = await load(world, rng, 120, 'none')
    assert.equal(answered, 120)
    await assertNothingLeft(world, 'none')
  })

  test(`network-transport: callers that give up leave nothing behind on streams that go on (seed ${seed})`, async () => {
    const rng = new Rng(seed + 2_000)
    const world = await open(rng, randomSettings(rng))
    Object.assign(world.network.faults, { delayMsMin: 0.1, delayMsMax: rng.pick([5, 40]), piecesMax: 1 + rng.below(4) })
    serve(world, rng)
    const { codes } = await load(world, rng, 150, 'given up')
    for (const code of codes) assert.equal(code, 'RPC_TIMED_OUT')
    await assertNothingLeft(world, 'none')
  })

  test(`network-transport: connections that break, deadlines and callers that give up leave nothing behind (seed ${seed})`, async () => {
    const rng = new Rng(seed + 1_000)
    const world = await open(rng, randomSettings(rng))
    serve(world, rng)
    const { codes } = await load(world, rng, 150, 'all')
    for (const code of codes) assert(code === 'RPC_UNAVAILABLE' || code === 'RPC_TIMED_OUT', code)
    await assertNothingLeft(world, 'some')
    const after = await load(world, rng, 10, 'none')
    assert.equal(after.answered, 10)
  })
}

test('network-transport: the same seed gives the same bytes at the same times', async () => {
  const digests = await Promise.all([7, 7, 8].map(async (seed) => {
    const rng = new Rng(seed)
    const world = await open(rng, randomSettings(rng))
    serve(world, rng)
    await load(world, rng, 60, 'all')
    return world.trace.digest()
  }))
  assert.equal(digests[0], digests[1])
  assert.notEqual(digests[0], digests[2])
})
