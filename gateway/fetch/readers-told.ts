/**
 * Which reader of each shard clients of this gateway were told of: it alone knows at least what they were shown, any
 * other must ask the journal first. Pure; one entry a shard.
 */
export type Ticket = { readonly isFresh: boolean; readonly changes: number }

type Told = {
  reader: number | null // null: two readers answered across each other, no one knows all that was told
  changes: number
}

export class ReadersTold {
  readonly #byShard = new Map<number, Told>()

  /** Before `reader` is asked: whether its answer must come behind a barrier. */
  ask(shard: number, reader: number): Ticket {
    const told = this.#byShard.get(shard)
    return { isFresh: told?.reader !== reader, changes: told?.changes ?? 0 }
  }

  /** It has answered. */
  answered(shard: number, reader: number, { isFresh, changes }: Ticket): void {
    let told = this.#byShard.get(shard)
    if (told === undefined) this.#byShard.set(shard, (told = { reader: null, changes: 0 }))
    if (told.reader === reader) return
    // Behind a barrier it knows what was told before it was asked, not what another one told meanwhile.
    told.reader = isFresh && told.changes === changes ? reader : null
    told.changes += 1
  }
}
