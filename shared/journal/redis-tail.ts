/**
 * Follows the streams of one slot group with one blocking call over all of them, on a connection of its own. Positions
 * move only with what was delivered, so a lost connection neither skips nor repeats a group.
 */
import { explain, ZonewiseError } from '../errors/zonewise-error.ts'
import type { Log } from '../log/log.ts'
import { RedisRefusal, type RedisChannel, type RedisReply, type RedisValue } from '../runtime/redis.ts'
import { sleep, type Timer } from '../runtime/runtime.ts'
import { comparePositions, type JournalGroup, type Position } from './journal.ts'
import { decodeEntry, entryId } from './redis-entry.ts'
import { bytesOf, fieldOf, listOf, meaningOf, textOf } from './redis-replies.ts'
import { type PaceGoal, ReadPace } from './redis-read-pace.ts'

const RETRY_MIN_MS = 20
const RETRY_MAX_MS = 1_000

/** `position`: of what was delivered. */
type Listener = { position: Position; readonly onGroup: (group: JournalGroup) => void }
type Followed = { readonly key: string; position: Position; readonly listeners: Set<Listener> }

export type RedisTailParts = {
  readonly open: () => RedisChannel
  readonly blockMs: number
  readonly pace: PaceGoal
  readonly timer: Timer
  readonly log: Log
}

export class RedisTail {
  readonly #parts: RedisTailParts
  readonly #pace: ReadPace
  readonly #followed = new Map<string, Followed>()
  readonly #stop = new AbortController()
  #channel: RedisChannel | null = null
  #blocked = false // a call is under way that does not know the newest streams
  #running = false

  constructor(parts: RedisTailParts) {
    this.#parts = parts
    this.#pace = new ReadPace(parts.pace)
  }

  /** Delivers what is behind `after` and what comes; returns the way to stop. */
  follow(key: string, after: Position, onGroup: (group: JournalGroup) => void): () => void {
    const listener: Listener = { position: after, onGroup }
    const known = this.#followed.get(key)
    if (known !== undefined && comparePositions(known.position, after) <= 0) {
      known.listeners.add(listener)
    } else {
      this.#followed.set(key, { key, position: after, listeners: new Set(known?.listeners).add(listener) })
      this.#ask()
    }
    return () => {
      const followed = this.#followed.get(key)
      if (followed?.listeners.delete(listener) === true && followed.listeners.size === 0) this.#followed.delete(key)
    }
  }

  close(): void {
    this.#followed.clear()
    this.#stop.abort(new ZonewiseError('STOPPING', 'the journal is closed'))
    this.#channel?.close()
  }

  /** A call under way is ended, so that the next one has all streams; several that come together cost one. */
  #ask(): void {
    if (this.#blocked) {
      this.#blocked = false
      this.#channel?.reset('another journal is to be followed')
    }
    if (this.#running) return
    this.#running = true
    this.#parts.timer.soon(() => { void this.#run() })
  }

  async #run(): Promise<void> {
    this.#channel ??= this.#parts.open()
    let retryMs = RETRY_MIN_MS
    while (this.#followed.size > 0 && !this.#stop.signal.aborted) {
      const failure = await this.#once(this.#channel).catch(reasonOf)
      if (failure === null) {
        retryMs = RETRY_MIN_MS
        continue
      }
      this.#parts.log.debug('journals are not followed at the moment', { reason: failure })
      await sleep(this.#parts.timer, retryMs, this.#stop.signal).catch(() => {})
      retryMs = Math.min(2 * retryMs, RETRY_MAX_MS)
    }
    this.#running = false
    if (this.#followed.size > 0 && !this.#stop.signal.aborted) this.#ask()
  }

  /** One call and what it brought. @returns why nothing came, or null */
  async #once(channel: RedisChannel): Promise<string | null> {
    const streams = [...this.#followed.values()]
    const count = Math.max(1, Math.floor(this.#pace.count() / streams.length))
    this.#blocked = true
    const from = [...streams.map(({ key }) => key), ...streams.map(({ position }) => entryId(position))]
    const args = ['COUNT', count, 'BLOCK', this.#parts.blockMs, 'STREAMS', ...from]
    const reply: RedisReply = await channel.call('XREAD', args).finally(() => { this.#blocked = false })
    if (reply instanceof RedisRefusal) return meaningOf(reply.text)
    const taken: JournalGroup[] = []
    const asked = new Set(streams)
    for (const stream of reply === null ? [] : listOf(reply)) {
      const followed = this.#followed.get(textOf(fieldOf(stream, 0)))
      // One that begins elsewhere since the call was made gets what it wants from the next.
      if (followed === undefined || !asked.has(followed)) continue
      this.#take(followed, listOf(fieldOf(stream, 1)), taken)
    }
    this.#pace.took(taken)
    return null
  }

  #take(followed: Followed, entries: readonly RedisValue[], taken: JournalGroup[]): void {
    for (const entry of entries) {
      const group = this.#decode(followed.key, entry)
      if (group === null) continue
      taken.push(group)
      followed.position = group.position
      for (const listener of followed.listeners) {
        if (comparePositions(group.position, listener.position) <= 0) continue
        listener.position = group.position
        listener.onGroup(group)
      }
    }
  }

  /** A damaged entry ends the following of its stream: whoever reads on meets it, and quarantines. */
  #decode(key: string, entry: RedisValue): JournalGroup | null {
    try {
      return decodeEntry(bytesOf(fieldOf(entry, 0)), bytesOf(fieldOf(fieldOf(entry, 1), 1)), key)
    } catch (error) {
      this.#followed.delete(key)
      this.#parts.log.error('a journal cannot be followed any more', { key, reason: explain(error) })
      return null
    }
  }
}

/** Bugs go on to whoever ends the process for them. */
function reasonOf(error: unknown): string {
  if (error instanceof ZonewiseError) return explain(error)
  throw error
}
