/** What the scripts of the registry do (shared/cluster/redis-registry-scripts.ts), in memory; time is the server's. */
import assert from 'node:assert/strict'
import { RENEWAL } from '#shared/cluster/redis-registry-scripts.ts'
import type { RedisArgument, RedisValue } from '#shared/runtime/redis.ts'

type Held = { readonly epoch: number; readonly content: string; expiresMs: number; vitals: string }

/** One registry: what lies under one key and those named after it. */
export class TwinRegistry {
  readonly #held = new Map<number, Held>()
  readonly #nowMs: () => number
  readonly #onChange: (version: number) => void
  #version = 0 // none yet

  constructor(nowMs: () => number, onChange: (version: number) => void) {
    this.#nowMs = nowMs
    this.#onChange = onChange
  }

  run(name: string, args: readonly RedisArgument[]): RedisValue {
    const nowMs = Math.floor(this.#nowMs())
    let changed = false
    for (const [id, { expiresMs }] of this.#held) if (expiresMs <= nowMs) changed = this.#held.delete(id)
    const version = (isChanged: boolean): Buffer => toBuffer(this.#versionAfter(isChanged, nowMs))
    const [id, epoch] = [Number(args[0]), Number(args[1])]
    const held = this.#held.get(id)
    switch (name) {
      case 'renew': {
        const [, , ttlMs, known, vitals, content] = args.map(String) as [string, string, string, string, string, string]
        if (held !== undefined && held.epoch > epoch) return [RENEWAL.superseded, toBuffer(held.epoch)]
        if (content === '' && held?.epoch !== epoch) return [RENEWAL.unknown]
        const isNews = content !== '' && (held?.epoch !== epoch || held.content !== content)
        const entry = isNews ? { epoch, content, expiresMs: 0, vitals: '' } : held!
        entry.expiresMs = nowMs + Number(ttlMs)
        entry.vitals = vitals
        this.#held.set(id, entry)
        const current = version(changed || isNews)
        return String(current) === known ? [current] : [current, this.#pairs(entryText)]
      }
      case 'remove': {
        const isGone = held !== undefined && held.epoch <= epoch && this.#held.delete(id)
        return [version(changed || isGone)]
      }
      case 'holder':
        version(changed)
        return held === undefined ? [] : [toBuffer(held.epoch), toBuffer(Math.ceil(held.expiresMs - nowMs))]
      default:
        assert.equal(name, 'read')
        return [version(changed), this.#pairs(entryText), this.#pairs(({ vitals }) => vitals)]
    }
  }

  #versionAfter(isChanged: boolean, nowMs: number): number {
    if (!isChanged && this.#version > 0) return this.#version
    this.#version = (this.#version === 0 ? nowMs : this.#version) + 1
    this.#onChange(this.#version)
    return this.#version
  }

  #pairs(textOf: (held: Held) => string): Buffer[] {
    return [...this.#held].flatMap(([id, held]) => [toBuffer(id), Buffer.from(textOf(held))])
  }
}

export const REGISTRY_SCRIPTS = new Set(['renew', 'remove', 'holder', 'read'])

function entryText({ epoch, content }: Held): string {
  return `${epoch} ${content}`
}

function toBuffer(value: number): Buffer {
  return Buffer.from(String(value))
}
