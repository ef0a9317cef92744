/** All clients of one simulation: who they are follows from the layout. */
import type { Layout } from '../world/settings.ts'
import { ZONES } from '../world/settings.ts'
import { Grower } from './admin.ts'
import { Asker } from './asker.ts'
import type { ClientParts, Topic } from './caller.ts'
import { GroupMember } from './group-member.ts'
import { IdempotentProducer } from './idempotent-producer.ts'
import { Mayfly } from './mayfly.ts'
import { PipelinedProducer, PlainProducer, type Producer } from './producer.ts'
import { Reader } from './reader.ts'

export const GROUP = 'together'
const GROWING = 'growing'
const PASSING = 'passing'

type Client = { run(): Promise<void>; stop(): void }
type Ending = Client & { readonly done: boolean; readonly caller: { readonly parts: ClientParts } }

export class Cast {
  readonly #ending: readonly Ending[] // finish what they began before they are done
  readonly #readers: readonly Client[]
  readonly #members: readonly GroupMember[]

  constructor(
    { memberCount, topicsChange }: Layout, topics: readonly Topic[],
    partsOf: (name: string, zone: string) => ClientParts
  ) {
    const producers: Producer[] = ZONES.flatMap((zone, i) => [
      new IdempotentProducer(partsOf(`idempotent-${zone}`, zone)),
      i === 1
        ? new PlainProducer(partsOf(`plain-${zone}`, zone))
        : new PipelinedProducer(partsOf(`pipelined-${zone}`, zone))
    ])
    const growing = topics.find(({ name }) => name === GROWING)
    this.#ending = [
      ...producers,
      ...(growing === undefined ? [] : [new Grower(partsOf('grower', 'a'), growing)]),
      ...(topicsChange ? [new Mayfly(partsOf('mayfly', 'b'), PASSING)] : [])
    ]
    this.#readers = ZONES.flatMap(
      (zone) => [new Reader(partsOf(`reader-${zone}`, zone)), new Asker(partsOf(`asker-${zone}`, zone))]
    )
    this.#members = Array.from(
      { length: memberCount }, (_, i) => new GroupMember(partsOf(`member-${i}`, ZONES[i % ZONES.length]!), GROUP)
    )
  }

  run(): Promise<void>[] {
    return [...this.#ending, ...this.#readers, ...this.#members].map((client) => client.run())
  }

  /** Nothing new is begun; members of the group go on with what there is. */
  stop(): void {
    for (const client of [...this.#ending, ...this.#readers]) client.stop()
  }

  stopMembers(): void {
    for (const member of this.#members) member.stop()
  }

  /** Names of those that have not finished. */
  unfinished(): string[] {
    return this.#ending.filter(({ done }) => !done).map(({ caller }) => caller.parts.name)
  }
}

/** The topics to begin with. */
export function topicsOf({ topics, topicsChange }: Layout): Topic[] {
  return [...topics, ...(topicsChange ? [{ name: GROWING, partitionCount: 1 }] : [])].map((topic) => ({ ...topic }))
}
