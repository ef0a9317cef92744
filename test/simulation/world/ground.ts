/**
 * What nodes stand on: store and journal, and what of them outlives whom. `remote` is the cluster's way: both are
 * elsewhere, outlive every machine, and are reached by calls that get lost. `local` is the embedded way: file store and
 * file journal on the disk of the one machine, which forgets what was not synced.
 */
import { agreeOnClusterId } from '#shared/cluster/cluster-id.ts'
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import { openFileJournal } from '#shared/journal/file-journal.ts'
import type { Journal } from '#shared/journal/journal.ts'
import { MemoryJournal, MemoryJournalMedium } from '#shared/journal/memory-journal.ts'
import type { Rng } from '#shared/runtime/rng.ts'
import { FaultyStore } from '#shared/store/faulty-store.ts'
import { openFileStore } from '#shared/store/file-store.ts'
import { GuardedStore } from '#shared/store/guarded-store.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { DiskFiles } from '../engine/disk-files.ts'
import { SimDisk } from '../engine/sim-disk.ts'
import type { VirtualTime } from '../engine/virtual-time.ts'
import type { Faults } from './faults.ts'
import { journalOf, storeOf, type Life } from './life.ts'

export type Footing = {
  readonly clusterId: string
  readonly store: ObjectStore
  readonly journal: Journal
  /** Takes over the faults as they are now. */
  applyFaults(): void
  /** The machine is dead. */
  end(): void
}

export type Ground = {
  /** For one life of a machine. `onFatal`: nothing can be made durable any more, the process must end. */
  open(life: Life, onFatal: () => void): Promise<Footing>
}

export type GroundParts = {
  readonly time: VirtualTime; readonly rng: Rng; readonly faults: Faults; readonly shardCount: number
}

const CLUSTER_ID = 'c2ltdWxhdGVkLWNsdXN0ZQ'
const KiB = 1_024

/** Store and journal elsewhere. */
export class RemoteGround implements Ground {
  readonly #parts: GroundParts
  readonly #medium = new MemoryJournalMedium()
  readonly #store: MemoryStore

  constructor(parts: GroundParts) {
    this.#parts = parts
    const { time } = parts
    this.#store = new MemoryStore({ nowMs: () => Math.floor(time.nowMs), monotonicMs: () => time.nowMs })
  }

  async open(life: Life): Promise<Footing> {
    const { time, rng, faults, shardCount } = this.#parts
    const memory = new MemoryJournal(this.#medium, { chance: rng.fork(), timer: time })
    const faulty = new FaultyStore(this.#store, time, rng.fork())
    const applyFaults = (): void => {
      Object.assign(memory.faults, faults.journal)
      Object.assign(faulty.faults, faults.store)
    }
    applyFaults()
    for (const shard of shardsOf(shardCount)) await memory.create(shard)
    const store = storeOf(life, faulty)
    const clusterId = await agreeOnClusterId(store, memory, CLUSTER_ID)
    return { clusterId, store, journal: journalOf(life, memory), applyFaults, end: () => memory.crash() }
  }
}

/** Store and journal in files. */
export class LocalGround implements Ground {
  readonly #parts: GroundParts
  readonly disk: SimDisk
  readonly #segmentBytes: number
  readonly #recentBytes: number

  constructor(parts: GroundParts) {
    this.#parts = parts
    const { rng } = parts
    this.disk = new SimDisk(rng.fork())
    this.#segmentBytes = rng.pick([4, 16, 64]) * KiB
    this.#recentBytes = rng.pick([0, 8, 1_024]) * KiB
  }

  async open(life: Life, onFatal: () => void): Promise<Footing> {
    const { time, rng, faults, shardCount } = this.#parts
    const files = new DiskFiles(
      { disk: this.disk, user: life, time, rng: rng.fork(), faults: faults.disk, trace: (line) => life.note(line) }
    )
    const fileStore = await openFileStore({ files, root: '/data/store', handlesMax: 4 })
    const faulty = new FaultyStore(new GuardedStore(fileStore, life.runtime.clock, 64 * KiB), time, rng.fork())
    const applyFaults = (): void => { Object.assign(faulty.faults, faults.store) }
    applyFaults()
    const store = storeOf(life, faulty)
    const journal = await openFileJournal({
      files, folder: '/data/journal', runtime: life.runtime, segmentBytes: this.#segmentBytes, frameBytesMax: 8 * KiB,
      recentBytesMax: this.#recentBytes,
      onFailure: onFatal
    })
    const clusterId = await agreeOnClusterId(store, journal, CLUSTER_ID)
    for (const shard of shardsOf(shardCount)) await journal.create(shard)
    return { clusterId, store, journal: journalOf(life, journal), applyFaults, end: () => this.disk.crash() }
  }
}

export function shardsOf(shardCount: number): number[] {
  return [...Array(shardCount).keys(), CATALOG_SHARD]
}
