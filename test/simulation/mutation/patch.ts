/** How bugs are put in from outside: a method of a prototype is wrapped, and comes back with the undo. */
import { ShardHost } from '#broker/shard/shard-host.ts'
import type { Leadership } from '#broker/shard/leadership.ts'

export type Undo = () => void

export function patch<T, K extends keyof T>(target: T, name: K, method: (original: T[K]) => T[K]): Undo {
  const original = target[name]
  target[name] = method(original)
  return () => { target[name] = original }
}

export function patchGetter<T extends object, K extends keyof T>(
  target: T, name: K, getter: (original: (this: T) => T[K]) => (this: T) => T[K]
): Undo {
  const original = Object.getOwnPropertyDescriptor(target, name)!
  Object.defineProperty(target, name, { ...original, get: getter(original.get as (this: T) => T[K]) })
  return () => { Object.defineProperty(target, name, original) }
}

/** Spoils a leadership whenever somebody asks for it. */
export function patchLeader(spoil: (leadership: Leadership) => void): Undo {
  return patch(ShardHost.prototype, 'leader', (original) => function (this: ShardHost, shard) {
    const leadership = original.call(this, shard)
    if (leadership !== null) spoil(leadership)
    return leadership
  })
}
