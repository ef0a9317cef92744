/** A connection in memory and its two sockets; sim-network.ts says what happens to it. */
import { Rng } from '#shared/runtime/rng.ts'
import type { Socket, SocketHandlers } from '#shared/runtime/network.ts'
import type { Trace } from './trace.ts'
import type { VirtualTime } from './virtual-time.ts'
import { Way } from './way.ts'

const FIRST_PORT = 40_000

/** The machine of one end. */
export type End = {
  readonly address: string
  readonly alive: boolean
  /** Calls `fn` as soon as the machine does not stand still, in the order it was asked to; never once it is dead. */
  awake(fn: () => void): void
}

export type ConnectionParts = {
  readonly time: VirtualTime
  readonly rng: Rng
  readonly trace: Trace
  readonly faults: { readonly piecesMax: number }
  readonly inParts: boolean // a write arrives in two parts, now and then
  delayMs(): number
  /** Whether nothing that one machine sends arrives at the other. */
  isCut(from: string, to: string): boolean
  gone(connection: SimConnection): void
}

export class SimConnection {
  readonly parts: ConnectionParts
  readonly id: number
  readonly chance: Rng // of where it cuts what it carries
  readonly client: SimSocket
  readonly server: SimSocket
  open = true

  constructor(parts: ConnectionParts, id: number, from: End, to: End) {
    this.parts = parts
    this.id = id
    this.chance = new Rng(id)
    this.client = new SimSocket(this, from, to.address)
    this.server = new SimSocket(this, to, from.address)
    this.client.peer = this.server
    this.server.peer = this.client
  }

  /** The end on a machine, or null. */
  endOn(host: End): SimSocket | null {
    if (this.client.host === host) return this.client
    return this.server.host === host ? this.server : null
  }

  /**
   * It is gone, and what is on its way is lost but for some first bytes, where it breaks. `by`: the end that ends it,
   * of which the other hears only when it can be reached.
   */
  break(error: Error | null, by: SimSocket | null): void {
    if (!this.open) return
    this.open = false
    const { time, trace } = this.parts
    this.parts.gone(this)
    trace.add(`${time.nowMs} closed ${this.id} ${error?.message ?? 'end'}`)
    for (const socket of [this.client, this.server]) socket.hears(error, socket === by)
  }
}

type Flying = { readonly chunks: readonly Uint8Array[]; readonly bytes: number; readonly isLast: boolean } // of a write

export class SimSocket implements Socket {
  readonly #connection: SimConnection
  readonly host: End
  readonly remoteAddress: string
  readonly remotePort: number
  peer: SimSocket | null = null
  handlers: SocketHandlers | null = null
  bufferedBytes = 0
  readonly #way: Way // to the other end
  readonly #unread: Flying[] = [] // written, and not read by the other end
  readonly #untaken: (() => void)[] = [] // of writes under way, oldest first
  readonly #held: Flying[] = [] // arrived while this end does not read
  #paused = false
  #closed = false

  constructor(connection: SimConnection, host: End, remoteAddress: string) {
    const { time, rng, delayMs, isCut } = connection.parts
    this.#connection = connection
    this.host = host
    this.remoteAddress = remoteAddress
    this.remotePort = FIRST_PORT + (connection.id % 20_000)
    this.#way = new Way({ time, rng, delayMs, isCut: () => isCut(host.address, remoteAddress) })
  }

  write(chunks: readonly Uint8Array[], taken: () => void = () => {}): void {
    if (!this.host.alive) return
    if (this.#closed) return this.#connection.parts.time.soon(taken)
    this.#untaken.push(taken)
    let bytes = 0
    for (const chunk of chunks) bytes += chunk.byteLength
    this.bufferedBytes += bytes
    if (!this.#connection.open) return // this end does not know yet
    for (const flying of this.#partsOf(chunks, bytes)) {
      this.#unread.push(flying)
      this.#way.send(() => { if (this.#connection.open) this.peer!.#receive(flying) })
    }
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#connection.parts.time.soon(() => { this.host.awake(() => { this.#deliverHeld() }) })
  }

  end(): void {
    if (this.host.alive) this.finish()
  }

  destroy(): void {
    if (this.host.alive) this.#connection.break(null, this)
  }

  /** The other end hears that this one is over, behind all that it has written. */
  finish(): void {
    const { peer } = this
    this.#way.send(() => { peer!.host.awake(() => { this.#connection.break(null, peer) }) })
  }

  /** The connection is gone: this end is told a little later. `isOwn`: it has ended it itself. */
  hears(error: Error | null, isOwn: boolean): void {
    const { time, delayMs } = this.#connection.parts
    const torn = error === null ? NOTHING : this.#firstBytes()
    const tell = (): void => { this.host.awake(() => { this.#tellClosed(error, torn) }) }
    time.after(delayMs(), isOwn ? tell : () => { this.peer!.#way.pass(tell) })
  }

  #partsOf(chunks: readonly Uint8Array[], bytes: number): readonly Flying[] {
    const { chance, parts: { inParts } } = this.#connection
    if (!inParts || bytes < 2 || chance.below(PARTED_ONE_IN) > 0) return [{ chunks, bytes, isLast: true }]
    const joined = Buffer.concat(chunks)
    const at = 1 + chance.below(bytes - 1)
    return [
      { chunks: [joined.subarray(0, at)], bytes: at, isLast: false },
      { chunks: [joined.subarray(at)], bytes: bytes - at, isLast: true }
    ]
  }

  #receive(flying: Flying): void {
    this.host.awake(() => {
      this.#held.push(flying)
      this.#deliverHeld()
    })
  }

  #deliverHeld(): void {
    while (!this.#paused && this.#held.length > 0) this.#deliver(this.#held.shift()!)
  }

  #tellClosed(error: Error | null, torn: Uint8Array): void {
    if (this.#closed) return
    this.#closed = true
    const { handlers } = this
    this.handlers = null
    if (torn.length > 0 && !this.#paused) {
      handlers?.data(torn)
      torn.fill(POISON)
    }
    for (const taken of this.#untaken.splice(0)) taken()
    handlers?.closed(error)
  }

  #deliver({ chunks, bytes, isLast }: Flying): void {
    const { parts: { time, rng, trace, faults }, open, id, client } = this.#connection
    if (!open) return
    const joined = Buffer.concat(chunks)
    trace.add(`${time.nowMs} data ${id} to ${this === client ? 'client' : 'server'} ${bytes}`)
    this.peer!.#unread.shift()
    for (let from = 0; from < joined.length && this.#connection.open;) {
      const to = rng.below(faults.piecesMax) === 0 ? joined.length : from + 1 + rng.below(joined.length - from)
      const piece = Buffer.from(joined.subarray(from, to))
      this.handlers?.data(piece)
      piece.fill(POISON)
      from = to
    }
    this.#way.pass(() => { this.peer!.#sent(bytes, isLast) })
  }

  /** The other end has `bytes` more, and that is known here. */
  #sent(bytes: number, isLast: boolean): void {
    this.bufferedBytes -= bytes
    this.host.awake(() => {
      if (isLast) this.#untaken.shift()?.()
      if (this.bufferedBytes === 0 && this.#connection.open) this.handlers?.drain()
    })
  }

  /** Of what comes next: they arrive still where a connection breaks. */
  #firstBytes(): Uint8Array {
    const [next] = this.peer!.#unread
    if (next === undefined || this.peer!.#way.isHeld) return NOTHING
    return Buffer.concat(next.chunks).subarray(0, this.#connection.chance.below(next.bytes + 1))
  }
}

const NOTHING = new Uint8Array(0)
const POISON = 0xee
const PARTED_ONE_IN = 4
