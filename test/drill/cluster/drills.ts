/** The drills: what is done to the cluster, and where and when it is asked whether all is well again. */
import type { Rng } from '#shared/runtime/rng.ts'
import { pause } from '../kill-moments.ts'
import { type DrillCluster, REDIS, REGION, ZONES } from './drill-cluster.ts'
import type { DrillNode } from './drill-node.ts'
import { moveRing } from './move-ring.ts'
import { storm } from './storm.ts'

export type DrillContext = {
  readonly cluster: DrillCluster
  readonly rng: Rng
  readonly echo: (line: string) => void
  /** Asks in `zones` how long, from `fromMs` on, it took until every partition was written and read again. */
  probe(when: string, fromMs: number, zones?: readonly string[]): Promise<void>
  /** What librdkafka's clients were told, which is nothing if `quiet`, and waited for, while `act` ran. */
  watch(when: string, act: () => Promise<void>, given?: { readonly quiet?: boolean }): Promise<void>
  /** Clients were served by another zone, as the ledger knows, and are at home again. */
  homeAgain(): Promise<void>
  /** A checkout of an older version, for drills that need one. */
  readonly older: string
  violation(rule: string, what: string): void
  /** Writes until the partitions of the probes have so many entries in the index. @returns how many they have */
  fill(entries: number): Promise<number>
}

export type Drill = {
  readonly what: string
  readonly layout: readonly string[] // roles of the nodes of each zone
  readonly more?: readonly string[] // and of nodes that the first zone has besides
  readonly flags?: readonly string[]
  readonly readers?: boolean // of librdkafka and Java that may never be sent back, in the first zone
  readonly older?: boolean // nodes are started from an older checkout
  readonly light?: boolean // only librdkafka's clients, to measure what they wait for
  /** Messages that nodes log as errors though all is as it should be. */
  readonly errors?: readonly string[]
  readonly act: (context: DrillContext) => Promise<void>
}

const BOTH = 'gateway,broker'
const PAUSED_MS = 30_000
const CUT_MS = 15_000
const AWAY_MS = 5_000
const BEFORE_MS = 5_000
const MILLION = 1_000_000
const RAISED_MS = 15_000
const REFUSED_MS = 15_000
const LOOK_MS = 200
const LOST = ZONES[0]
const LEFT = ZONES.slice(1)
const CHUNK_GIVEN_UP = 'chunk given up' // what was in it was not acknowledged

/** What every change must pass, in a few minutes. */
export const SHORT = ['kill-zone', 'cut-redis', 'restart-redis', 'rolling', 'rolling-single', 'ring'] as const

export const DRILLS: Readonly<Record<string, Drill>> = {
  'kill-leader': {
    what: 'kill -9 of a node that leads shards, one of two of its zone', layout: [BOTH, BOTH],
    act: (context) => killed(context, [context.cluster.nodes[0]!], ZONES)
  },
  'kill-broker': {
    what: 'kill -9 of a node that only leads shards and reads for its zone', layout: ['gateway', 'broker', 'broker'],
    act: (context) => killed(context, [context.cluster.nodes[1]!], ZONES)
  },
  'kill-gateway': {
    what: 'kill -9 of a node that only serves clients, one of two of its zone',
    layout: ['gateway', 'gateway', 'broker'],
    act: (context) => killed(context, [context.cluster.nodes[0]!], ZONES)
  },
  'kill-zone': {
    what: 'kill -9 of all nodes of a zone', layout: [BOTH],
    act: (context) => killed(context, context.cluster.inZone(LOST), ZONES)
  },
  pause: {
    what: 'SIGSTOP of a node for 30 s, then it wakes up', layout: [BOTH], errors: [CHUNK_GIVEN_UP],
    act: async ({ cluster, probe }) => {
      const node = cluster.nodes[0]!
      const pausedMs = performance.now()
      node.pause()
      await probe('paused', pausedMs, LEFT)
      await pause(PAUSED_MS - (performance.now() - pausedMs))
      node.resume()
      await probe('awake', performance.now())
    }
  },
  'cut-redis': cut('a zone without Redis', (cluster) => { cluster.isolate(LOST, [REDIS]) }, LEFT),
  'cut-redis-one-way': cut('a zone that Redis hears, and that does not hear Redis', ({ net }) => {
    net.cut(REDIS, LOST)
  }, LEFT),
  'cut-s3': {
    ...cut('a zone without S3', (cluster) => { cluster.isolate(LOST, [REGION]) }, LEFT), errors: [CHUNK_GIVEN_UP]
  },
  // Nobody takes over: what is led on the other side gets retriable errors until then.
  'cut-zones': cut('a zone without the other zones', (cluster) => { cluster.isolate(LOST, LEFT) }, []),
  'cut-zones-one-way': cut('a zone that the others hear, and that hears none of them', ({ net }) => {
    for (const other of LEFT) net.cut(other, LOST)
  }, []),
  'restart-redis': {
    what: 'Redis killed and started 5 s later on its append-only file', layout: [BOTH],
    act: async ({ cluster, probe }) => {
      await cluster.redis.kill()
      await pause(AWAY_MS)
      await cluster.redis.start()
      await probe('Redis is back', performance.now())
    }
  },
  'restart-s3': {
    what: 'the S3 server killed and started 5 s later', layout: [BOTH],
    act: async ({ cluster, probe }) => {
      await cluster.s3.kill()
      await pause(AWAY_MS)
      await cluster.s3.restart()
      await probe('S3 is back', performance.now())
    }
  },
  rolling: {
    what: 'every node stopped (SIGTERM) and started, one after the other, two in each zone', layout: [BOTH, BOTH],
    act: (context) => restartedAll(context, { quiet: false })
  },
  'take-over': {
    what: 'a shard with a million index entries handed over, its leader killed, all nodes killed', layout: [BOTH],
    flags: ['--shards', '1'], light: true,
    act: async ({ cluster, fill, probe }) => {
      await fill(MILLION)
      for (const end of ['stop', 'kill'] as const) {
        const leader = await leaderOf(cluster)
        const others = ZONES.filter((zone) => zone !== leader.options.zone)
        await probe(`before ${end}`, performance.now())
        const fromMs = performance.now()
        await Promise.all([leader[end](), probe(end, fromMs, others)])
        leader.launch()
        await leader.ready()
        await probe(`started after ${end}`, performance.now())
      }
      await Promise.all(cluster.nodes.map((node) => node.kill()))
      for (const node of cluster.nodes) node.launch() // nobody has a view of the shard now
      await Promise.all(cluster.nodes.map((node) => node.ready()))
      await probe('all killed and ready again', performance.now())
    }
  },
  storm: {
    what: 'a minute of faults drawn by chance', layout: [BOTH], errors: [CHUNK_GIVEN_UP],
    act: async ({ cluster, rng, echo, probe }) => {
      await storm(cluster, rng, echo)
      await probe('after the storm', performance.now())
    }
  },
  upgrade: {
    what: 'nodes of an older version replaced one after the other, then one of them back', layout: [BOTH], older: true,
    errors: ['zonewise: the cluster went on to a version that this software does not know'],
    act: upgraded
  },
  ring: ring(20_000),
  'ring-long': ring(600_000),
  'rolling-light': {
    what: 'the same under a light load', layout: [BOTH, BOTH], light: true, act: (context) =>
      restartedAll(context, { quiet: true })
  },
  'rolling-single': {
    what: 'the same with one node in each zone, for which another zone stands in', layout: [BOTH], light: true,
    act: async (context) => {
      await restartedAll(context, { quiet: true })
      await context.homeAgain()
    }
  }
}

/** The node that leads the only shard with partitions. */
async function leaderOf(cluster: DrillCluster): Promise<DrillNode> {
  const leads = /zonewise_shard_leading\{[^}]*shard="0"\} 1/
  for (const node of cluster.nodes) if (leads.test(await node.text('/metrics'))) return node
  throw new Error('nobody leads shard 0')
}

async function restartedAll(
  { cluster, watch, probe }: DrillContext, { quiet }: { readonly quiet: boolean }
): Promise<void> {
  await watch('before', () => pause(BEFORE_MS))
  const restart = async (): Promise<void> => { for (const node of cluster.nodes) await restarted(node) }
  await watch('restarting', restart, { quiet })
  await probe('all restarted', performance.now())
}

/** Once all are new, what only they can read is written: from then on an old one is refused. */
async function upgraded({ cluster, older, watch, probe, echo, violation }: DrillContext): Promise<void> {
  await watch('before', () => pause(BEFORE_MS))
  await watch('upgrading', async () => {
    for (const node of cluster.nodes) {
      node.upgrade()
      await restarted(node)
    }
  })
  await probe('all upgraded', performance.now())
  const isRaised = (): boolean => cluster.nodes.some(({ log }) => log.includes('cluster.version is raised'))
  for (const untilMs = performance.now() + RAISED_MS; !isRaised() && performance.now() < untilMs;) await pause(LOOK_MS)
  echo(`cluster.version ${isRaised() ? 'is raised' : 'stays: the older version knows as much'}`)
  if (!isRaised()) return
  const node = cluster.nodes[0]!
  await node.stop()
  node.checkout = older
  const seen = node.log.length
  node.launch()
  const code = await node.ended(REFUSED_MS)
  const said = node.log.slice(seen)
  if (code === null || code === 0 || !said.includes('version')) {
    violation('an older node is refused', `code ${code}: ${said}`)
  }
  await node.kill()
  node.upgrade()
  node.launch()
  await node.ready()
  await probe('the older one was refused', performance.now())
}

async function killed({ probe }: DrillContext, nodes: readonly DrillNode[], zones: readonly string[]): Promise<void> {
  const killedMs = performance.now()
  await Promise.all(nodes.map((node) => node.kill()))
  await probe('killed', killedMs, zones)
  for (const node of nodes) node.launch()
  await Promise.all(nodes.map((node) => node.ready()))
  await probe('started again', performance.now())
}

/** Two nodes in the first zone: what one of them stops doing, the other does. */
function ring(forMs: number): Drill {
  return {
    what: `nodes drained, removed, killed, paused and added for ${forMs / 1_000} s under readers that know no reset`,
    layout: [BOTH], more: [BOTH], light: true, readers: true, errors: [CHUNK_GIVEN_UP],
    act: async ({ cluster, rng, echo, probe }) => {
      await moveRing(cluster, { rng, echo, forMs })
      await probe('the ring is still', performance.now())
    }
  }
}

/** `zones` are asked while the cut lasts. */
function cut(what: string, cutOff: (cluster: DrillCluster) => void, zones: readonly string[]): Drill {
  return {
    what: `${what} for ${CUT_MS / 1_000} s`, layout: [BOTH],
    act: async ({ cluster, probe }) => {
      const cutMs = performance.now()
      cutOff(cluster)
      if (zones.length > 0) await probe('cut off', cutMs, zones)
      await pause(Math.max(0, CUT_MS - (performance.now() - cutMs)))
      cluster.net.heal()
      await probe('healed', performance.now())
    }
  }
}

async function restarted(node: DrillNode): Promise<void> {
  const code = await node.stop()
  if (code !== 0) throw new Error(`node ${node.options.nodeId} ended with ${code}`)
  node.launch()
  await node.ready()
}
