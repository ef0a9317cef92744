/**
 * Clients that come from a zone whose last gateway stopped: it told of them before, because nothing else tells where
 * they are at home (they come through the listener of another zone). They are told their own zone's gateways as soon as
 * there are some, whatever they are configured with. Clients that share address and client id with one that is at home
 * here cannot be told apart from it: those are guests only while their zone has no gateway.
 */
import type { Clock } from '#shared/runtime/runtime.ts'

export type GuestClient = { readonly host: string; readonly clientId: string }

export type GuestsParts = {
  readonly clock: Clock
  readonly isServed: (zone: string) => boolean
  readonly guestsMax: number
}

type Guest = { readonly zone: string; readonly isShared: boolean; untilMs: number }

const GUEST_MS = 10 * 60_000 // from when it was told of, or came while its zone had no gateway
const LATE_MS = 3_000 // by then membership shows that the zone has no gateway

export class Guests {
  readonly #parts: GuestsParts
  readonly #guests = new Map<string, Guest>() // the longest known first

  constructor(parts: GuestsParts) {
    this.#parts = parts
  }

  /** `isHere`: a client like it is connected that is at home here. The longest known make room. */
  expect(zone: string, clients: readonly GuestClient[], isHere: (client: GuestClient) => boolean): void {
    const { clock, guestsMax } = this.#parts
    const untilMs = clock.monotonicMs() + GUEST_MS
    for (const client of clients) {
      const key = keyOf(client)
      this.#guests.delete(key)
      this.#guests.set(key, { zone, isShared: isHere(client), untilMs })
    }
    for (const key of this.#guests.keys()) {
      if (this.#guests.size <= guestsMax) break
      this.#guests.delete(key)
    }
  }

  /** The zone of a client that has just said who it is, or null: nobody told of it. */
  zoneOf(host: string, clientId: string | null): string | null {
    if (this.#guests.size === 0) return null
    const { clock, isServed } = this.#parts
    const key = keyOf({ host, clientId: clientId ?? '' })
    const guest = this.#guests.get(key)
    if (guest === undefined) return null
    const nowMs = clock.monotonicMs()
    if (nowMs >= guest.untilMs) {
      this.#guests.delete(key)
      return null
    }
    if (!isServed(guest.zone)) guest.untilMs = nowMs + GUEST_MS
    else if (guest.isShared && nowMs > guest.untilMs - GUEST_MS + LATE_MS) return null
    return guest.zone
  }
}

/** What tells clients apart. */
export function keyOf({ host, clientId }: GuestClient): string {
  return `${host}\0${clientId}`
}
