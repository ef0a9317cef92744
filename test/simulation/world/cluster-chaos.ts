/** Faults of a real cluster: zones that part, processes that stand still, a Redis that fails over, clocks that jump. */
import type { Rng } from '#shared/runtime/rng.ts'
import { ClusterGround } from './cluster-ground.ts'
import { calm } from './faults.ts'
import type { Fault } from './chaos.ts'
import type { Machine } from './machine.ts'
import { ZONES } from './settings.ts'
import type { World } from './world.ts'

export type ClusterFaultKind = 'partition' | 'pause' | 'redis' | 'restart' | 'clock'

export type ClusterChaosParts = {
  readonly world: World
  readonly rng: Rng
  /** Sleeps up to `ms`. */
  readonly pause: (ms: number) => Promise<void>
  readonly isStopped: () => boolean
  readonly note: (what: string) => void
}

const PARTED_MS = [1_000, 5_000, 10_000] as const
const JUMPS_MS = [500, 20_000, 1_200_000] as const // either way; more than ten minutes only others confirm

export function clusterFaults(parts: ClusterChaosParts): Readonly<Record<ClusterFaultKind, Fault>> {
  return {
    partition: [4, () => part(parts)],
    pause: [3, () => standStill(parts)],
    redis: [3, () => redisTrouble(parts)],
    restart: [1, () => restart(parts)],
    clock: [1, () => jump(parts)]
  }
}

/** A zone, or one machine, is parted from all others, from Redis or from the store: both ways, or one way. */
async function part({ world, rng, pause, note }: ClusterChaosParts): Promise<void> {
  const zone = rng.pick(ZONES)
  const inZone = (machine: Machine): boolean =>
    world.layout.nodes.some(({ nodeId, zone: own }) => own === zone && machine.nodeIds.includes(nodeId))
  const inside = rng.below(3) === 0 ? [rng.pick(world.machines)] : world.machines.filter(inZone)
  const others = world.machines.filter((machine) => !inside.includes(machine)).map(({ name }) => name)
  const from = rng.pick([
    ['redis'], ['redis'], ['store'], others, others, ['redis', ...others], ['redis', 'store', ...others]
  ])
  const ways = rng.pick(['both', 'both', 'in', 'out'] as const)
  const links: string[] = []
  for (const { name } of inside) for (const other of from) {
    if (ways !== 'in') links.push(`${name}>${other}`)
    if (ways !== 'out') links.push(`${other}>${name}`)
  }
  note(`cut ${links.join(' ')}`)
  for (const link of links) world.faults.links.add(link)
  await pause(rng.pick(PARTED_MS))
  for (const link of links) world.faults.links.delete(link)
}

/** A process that is not scheduled for about as long as its lease, or much longer, and wakes up as what it was. */
function standStill({ world, rng }: ClusterChaosParts): void {
  const { leaseMs } = world.layout.lease
  world.freeze(rng.pick(world.machines), rng.pick([0, leaseMs, 2 * leaseMs]) + rng.below(leaseMs))
}

async function redisTrouble(parts: ClusterChaosParts): Promise<void> {
  const { world, rng, pause, isStopped, note } = parts
  const { faults: { redis }, ground } = world
  if (!(ground instanceof ClusterGround)) throw new Error('only a cluster has a Redis')
  const what = rng.pick(['fails over', 'refuses', 'loses'] as const)
  note(`redis ${what}`)
  switch (what) {
    case 'fails over':
      redis.isAway = true
      ground.server.breakAll()
      await pause(rng.pick([200, 5_000]))
      if (isStopped()) return
      if (rng.below(3) === 0) ground.server.forgetRegistries()
      redis.isAway = false
      redis.refusal = 'all'
      await pause(rng.pick([10, 1_000]))
      break
    case 'refuses':
      redis.refusal = rng.pick(['writes', 'writes', 'all'] as const)
      await pause(rng.pick([500, 5_000]))
      break
    default:
      redis.delayMsMax = rng.pick([6, 60, 300])
      redis.lostCallPerMille = rng.pick([0, 50, 300])
      redis.lostReplyPerMille = rng.pick([0, 50, 300])
      redis.latePerMille = rng.pick([0, 0, 100])
      await pause(3_000)
  }
  if (!isStopped()) calm(world.faults, 'redis')
}

/** Ended in peace and started again, as in a rolling upgrade. */
async function restart({ world, rng, pause }: ClusterChaosParts): Promise<void> {
  const machine = rng.pick(world.machines)
  await machine.stop()
  await pause(1_000)
  await machine.start() // also where all is healed by now: nobody else starts what has stopped since
}

function jump({ world, rng, note }: ClusterChaosParts): void {
  const { life }: Machine = rng.pick(world.machines)
  const ms = rng.pick(JUMPS_MS)
  const byMs = rng.below(2 * ms) - ms
  note(`clock of ${life?.name} jumps by ${byMs}`)
  if (life !== null) life.skewMs += byMs
}
