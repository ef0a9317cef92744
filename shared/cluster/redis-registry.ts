/**
 * Registry in Redis: a hash of entries, a sorted set of the times they run out (Redis's own clock), a hash of vitals, a
 * version, and a stream of one entry that hints at changes, all in the hash slot of the first key. One short script a
 * renewal; a renewal without news carries no entry and gets none back, so that an idle node costs about a hundred bytes a
 * second. Redis may lose all of it: whoever renews announces itself again.
 */
import { explain, ZonewiseError } from '../errors/zonewise-error.ts'
import { bytesOf, fieldOf, listOf, meaningOf, textOf } from '../journal/redis-replies.ts'
import type { Log } from '../log/log.ts'
import { type Redis, type RedisArgument, type RedisChannel, RedisRefusal, type RedisReply, type RedisValue } from '../runtime/redis.ts'
import { sleep, type Timer } from '../runtime/runtime.ts'
import { HOLDER_SCRIPT, READ_SCRIPT, REMOVE_SCRIPT, RENEW_SCRIPT, RENEWAL } from './redis-registry-scripts.ts'
import type { NodeEntry, Registry, RegistryState, Renewal, RenewOptions, Vitals } from './registry.ts'

const HINT_BLOCK_MS = 30_000
const HINT_RETRY_MS = 20
const HINT_RETRY_MS_MAX = 1_000

export type RedisRegistryParts = {
  readonly redis: Redis
  readonly prefix: string // of all keys
  readonly timer: Timer
  readonly log: Log
}

export class RedisRegistry implements Registry {
  readonly #parts: RedisRegistryParts
  readonly #key: string
  readonly #listeners = new Set<() => void>()
  #known: NodeEntry | null = null // what Redis holds of this node, as far as it said
  #wasGone = false // found so, and not told yet
  #hints: RedisChannel | null = null
  readonly #stop = new AbortController()

  constructor(parts: RedisRegistryParts) {
    this.#parts = parts
    this.#key = `${parts.prefix}:{zw-0}:registry`
  }

  async renew(own: NodeEntry, options: RenewOptions): Promise<Renewal> {
    const { nodeId, nodeEpoch } = own
    const { knownVersion, ttlMs, vitals } = options
    const isKnown = this.#known?.content === own.content && this.#known.nodeEpoch === nodeEpoch
    const content = isKnown ? '' : own.content
    const reply = await this.#run(RENEW_SCRIPT, [nodeId, nodeEpoch, ttlMs, knownVersion, `${vitals.clockMs} ${vitals.load}`, content])
    const first = numberOf(fieldOf(reply, 0))
    if (first === RENEWAL.superseded) return { kind: 'superseded', nodeEpoch: numberOf(fieldOf(reply, 1)) }
    if (first === RENEWAL.unknown) { // Redis lost it, or it ran out
      this.#known = null
      this.#wasGone = true
      return this.renew(own, options)
    }
    this.#known = own
    const wasGone = this.#wasGone
    this.#wasGone = false
    const hasNews = listOf(reply).length > 1
    const state = hasNews ? { version: first, entries: entriesOf(fieldOf(reply, 1)) } : null
    return { kind: 'renewed', version: first, state, wasGone }
  }

  async remove(nodeId: number, nodeEpoch: number): Promise<void> {
    this.#known = null
    this.#wasGone = false
    await this.#run(REMOVE_SCRIPT, [nodeId, nodeEpoch])
  }

  async holder(nodeId: number): Promise<{ nodeEpoch: number; expiresInMs: number } | null> {
    const reply = await this.#run(HOLDER_SCRIPT, [nodeId])
    if (listOf(reply).length === 0) return null
    return { nodeEpoch: numberOf(fieldOf(reply, 0)), expiresInMs: numberOf(fieldOf(reply, 1)) }
  }

  async read(): Promise<RegistryState & { readonly vitals: ReadonlyMap<number, Vitals> }> {
    const reply = await this.#run(READ_SCRIPT, [])
    const vitals = new Map(pairsOf(fieldOf(reply, 2)).map(([nodeId, text]) => [nodeId, vitalsOf(text)]))
    return { version: numberOf(fieldOf(reply, 0)), entries: entriesOf(fieldOf(reply, 1)), vitals }
  }

  onChange(fn: () => void): () => void {
    const listener = (): void => { fn() } // the same function may listen twice
    this.#listeners.add(listener)
    if (this.#hints === null) void this.#listen()
    return () => { this.#listeners.delete(listener) }
  }

  /** Hears no hints any more. The Redis is the caller's. */
  close(): void {
    this.#listeners.clear()
    this.#stop.abort(new ZonewiseError('STOPPING', 'the registry is closed'))
    this.#hints?.close()
  }

  /** Waits for the stream of changes on a connection of its own. A hint may be missed: renewals find out by themselves. */
  async #listen(): Promise<void> {
    const { redis, timer, log } = this.#parts
    const channel = (this.#hints = redis.blocking(`${this.#key}:changes`, HINT_BLOCK_MS))
    for (let [after, retryMs] = ['', HINT_RETRY_MS]; !this.#stop.signal.aborted;) {
      try {
        // From the beginning after a loss: what came meanwhile is a hint, too.
        after = await this.#nextChange(channel, after)
        retryMs = HINT_RETRY_MS
      } catch (error) {
        if (!(error instanceof ZonewiseError)) throw error
        log.debug('no hints of the registry at the moment', { reason: explain(error) })
        await sleep(timer, retryMs, this.#stop.signal).catch(() => {})
        retryMs = Math.min(2 * retryMs, HINT_RETRY_MS_MAX)
        after = ''
      }
    }
  }

  /** @returns the id of the newest change heard of */
  async #nextChange(channel: RedisChannel, after: string): Promise<string> {
    const reply = await channel.call('XREAD', ['BLOCK', HINT_BLOCK_MS, 'STREAMS', `${this.#key}:changes`, after === '' ? '0' : after])
    if (reply instanceof RedisRefusal) throw new ZonewiseError('REGISTRY_UNAVAILABLE', meaningOf(reply.text))
    if (reply === null) return after
    const entries = listOf(fieldOf(fieldOf(reply, 0), 1))
    for (const listener of this.#listeners) listener()
    return textOf(fieldOf(entries.at(-1), 0))
  }

  async #run(script: Parameters<Redis['run']>[0], args: readonly RedisArgument[]): Promise<RedisValue> {
    let reply: RedisReply
    try {
      reply = await this.#parts.redis.run(script, this.#key, args)
    } catch (cause) {
      throw new ZonewiseError('REGISTRY_UNAVAILABLE', 'the registry does not answer', {}, cause)
    }
    if (reply instanceof RedisRefusal)
      throw new ZonewiseError('REGISTRY_UNAVAILABLE', 'the registry refuses', { reason: meaningOf(reply.text) })
    return reply
  }
}

/** Numbers come as text where Lua would print them inexactly. */
function numberOf(value: RedisValue): number {
  return typeof value === 'number' ? value : Number(new TextDecoder().decode(bytesOf(value)))
}

function pairsOf(reply: RedisValue): [number, string][] {
  const flat = listOf(reply)
  return Array.from({ length: flat.length / 2 }, (_, i) => [numberOf(flat[2 * i]!), textOf(flat[2 * i + 1])])
}

function entriesOf(reply: RedisValue): NodeEntry[] {
  return pairsOf(reply).map(([nodeId, text]) => {
    const space = text.indexOf(' ')
    return { nodeId, nodeEpoch: Number(text.slice(0, space)), content: text.slice(space + 1) }
  }).sort((a, b) => a.nodeId - b.nodeId)
}

function vitalsOf(text: string): Vitals {
  const [clockMs, load] = text.split(' ').map(Number)
  return { clockMs: clockMs ?? 0, load: load ?? 0 }
}
