/**
 * Finds out at the start whether a store does what Zonewise relies on: conditional writes above all, then reads that
 * see what was written, lists in order, ranges, deletes. Some seventy small calls below `meta/probe/`, nothing stays.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { randomHex } from '../runtime/random-hex.ts'
import type { Chance } from '../runtime/runtime.ts'
import type { ObjectStore } from './object-store.ts'

const PROBES = 'meta/probe/'
const RACES = 3
const RACERS = 6
/** What the S3 store calls the whole object in place of a range. */
const IGNORED_RANGE: ReadonlySet<unknown> = new Set(['RangeIgnored', 'AnswerTooLong'])

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/**
 * Resolves when the store is fit. Objects of a probe that was cut off may stay; they are a few bytes each.
 * @throws ZonewiseError STORE_UNFIT: with what is missing; and what the store's calls throw.
 */
export async function probeStore(store: ObjectStore, chance: Chance): Promise<void> {
  const top = `${PROBES}${randomHex(chance, 8)}/`
  const made = new Set<string>()
  const probe = new Probe(store, (name) => {
    made.add(top + name)
    return top + name
  })
  try {
    await probe.createsOnce()
    await probe.hasOneWinner()
    await probe.readsWhatWasWritten()
    await probe.servesRanges()
    await probe.listsInOrder(top)
    await probe.deletes(top)
  } finally {
    await Promise.allSettled([...made].map((key) => store.delete(key)))
  }
}

class Probe {
  readonly #store: ObjectStore
  readonly #key: (name: string) => string

  constructor(store: ObjectStore, key: (name: string) => string) {
    this.#store = store
    this.#key = key
  }

  async createsOnce(): Promise<void> {
    const key = this.#key('once')
    await this.#store.putIfAbsent(key, [bytesOf('first')])
    const created = await this.#creates(key, 'second')
    mustBe(!created, 'it has no conditional writes: a second PUT with "If-None-Match: *" replaced the object')
    mustBe(await this.#text(key) === 'first', 'a PUT that it refused changed the object all the same')
  }

  async hasOneWinner(): Promise<void> {
    for (let race = 0; race < RACES; race++) {
      const key = this.#key(`race-${race}`)
      const racers = Array.from({ length: RACERS }, (_, racer) => this.#creates(key, String(racer)))
      const winners = (await Promise.all(racers)).flatMap((won, racer) => (won ? [String(racer)] : []))
      const many = `of ${RACERS} PUTs with "If-None-Match: *" at the same time ${winners.length} won instead of one`
      mustBe(winners.length === 1, many)
      mustBe(await this.#text(key) === winners[0], 'a PUT that lost a race changed the object all the same')
    }
  }

  async readsWhatWasWritten(): Promise<void> {
    const key = this.#key('fresh')
    for (const text of ['old', 'new', 'newest']) {
      await this.#store.put(key, [bytesOf(text)])
      mustBe(await this.#text(key) === text, 'a GET does not see the PUT before it')
    }
    const head = await this.#store.head(key)
    mustBe(head?.bytes === 'newest'.length, 'a HEAD does not see the PUT before it')
    mustBe(await this.#text(this.#key('never')) === null, 'it has an object that nobody wrote')
  }

  async servesRanges(): Promise<void> {
    const key = this.#key('ranged')
    await this.#store.put(key, [bytesOf('0123'), bytesOf('456789')])
    const part = await this.#store.get(key, { start: 3, end: 6 }).catch((error: unknown) => {
      if (error instanceof ZonewiseError && IGNORED_RANGE.has(error.context['code'])) return bytesOf('')
      throw error
    })
    mustBe(textOf(part) === '345', 'it does not serve ranges of an object')
  }

  async listsInOrder(top: string): Promise<void> {
    const names = ['list/a', 'list/a-b', 'list/a.b', 'list/b/1', 'list/b/2'] // in the order of their bytes
    for (const name of names.toReversed()) await this.#store.put(this.#key(name), [bytesOf(name)])
    const list = async (options: { after?: string; max?: number }): Promise<string> =>
      (await this.#store.list(`${top}list/`, options)).map(({ key }) => key.slice(top.length)).join(' ')
    mustBe(await list({}) === names.join(' '), 'LIST does not show what was written, in the order of bytes')
    const last = await list({ after: `${top}list/a.b` })
    mustBe(last === names.slice(3).join(' '), 'LIST does not begin after the key it is told ("start-after")')
    const first = await list({ max: 2 })
    mustBe(first === names.slice(0, 2).join(' '), 'LIST does not stop at the number of keys it is told')
  }

  async deletes(top: string): Promise<void> {
    const key = this.#key('list/a')
    await this.#store.delete(key)
    mustBe(await this.#text(key) === null, 'a GET does not see the DELETE before it')
    const left = await this.#store.list(`${top}list/a`, { max: 1 })
    mustBe(left[0]?.key === `${top}list/a-b`, 'LIST does not see the DELETE before it')
    await this.#store.putIfAbsent(key, [bytesOf('again')])
  }

  /** false: the key is taken. */
  async #creates(key: string, text: string): Promise<boolean> {
    try {
      await this.#store.putIfAbsent(key, [bytesOf(text)])
      return true
    } catch (error) {
      if (error instanceof ZonewiseError && error.code === 'OBJECT_EXISTS') return false
      throw error
    }
  }

  /** null: there is no such object. */
  async #text(key: string): Promise<string | null> {
    try {
      return textOf(await this.#store.get(key))
    } catch (error) {
      if (error instanceof ZonewiseError && error.code === 'OBJECT_MISSING') return null
      throw error
    }
  }
}

function mustBe(condition: boolean, missing: string): void {
  if (!condition) throw new ZonewiseError('STORE_UNFIT', 'the object store cannot be used', { because: missing })
}
