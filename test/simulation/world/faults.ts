/** What goes wrong at the moment, everywhere in the world; chaos changes it, and calms it again. */
import { NO_JOURNAL_FAULTS, type JournalFaults } from '#shared/journal/memory-journal.ts'
import { NO_STORE_FAULTS, type StoreFaults } from '#shared/store/faulty-store.ts'
import { CALM_DISK, type DiskFaults } from '../engine/disk-files.ts'

export type RpcFaults = {
  delayMsMax: number
  inOrder: boolean
  dropPerMille: number // requests, and answers
  twicePerMille: number // requests delivered a second time, later
  only: string | null // calls of this name; null: all
}

/** Of one Redis, for all who use it. */
export type RedisFaults = {
  delayMsMax: number
  lostCallPerMille: number // never happens, no reply
  lostReplyPerMille: number // happens, no reply
  latePerMille: number // no reply, and happens later
  isAway: boolean // nobody can connect
  refusal: 'all' | 'writes' | null
}

export type Faults = {
  readonly rpc: RpcFaults
  readonly store: StoreFaults
  readonly journal: JournalFaults
  readonly disk: DiskFaults
  readonly redis: RedisFaults
  /** Directions in which nothing arrives: `m1>m2`, `m1>redis`, `store>m1`. */
  readonly links: Set<string>
  /** Pairs of nodes that hear nothing of each other: `1-2`. */
  readonly cuts: Set<string>
  /** Longest time until a node knows of a change of membership. */
  newsMsMax: number
}

const CALM = {
  rpc: { delayMsMax: 2, inOrder: true, dropPerMille: 0, twicePerMille: 0, only: null },
  store: { ...NO_STORE_FAULTS, delayMsMin: 1, delayMsMax: 20 },
  journal: { ...NO_JOURNAL_FAULTS, delayMsMax: 6 },
  disk: CALM_DISK,
  redis: {
    delayMsMax: 6, lostCallPerMille: 0, lostReplyPerMille: 0, latePerMille: 0, isAway: false, refusal: null
  },
  newsMsMax: 100
} as const satisfies Omit<Faults, 'cuts' | 'links'>

export function newFaults(): Faults {
  return {
    rpc: { ...CALM.rpc }, store: { ...CALM.store }, journal: { ...CALM.journal }, disk: { ...CALM.disk },
    redis: { ...CALM.redis }, newsMsMax: CALM.newsMsMax, cuts: new Set(), links: new Set()
  }
}

/** Ends the faults of one kind. */
export function calm(faults: Faults, kind: keyof typeof CALM): void {
  if (kind === 'newsMsMax') faults.newsMsMax = CALM.newsMsMax
  else Object.assign(faults[kind], CALM[kind])
}

export function calmAll(faults: Faults): void {
  for (const kind of ['rpc', 'store', 'journal', 'disk', 'redis', 'newsMsMax'] as const) calm(faults, kind)
  faults.cuts.clear()
  faults.links.clear()
}
