/**
 * The carrier between nodes of one process. Headers are encoded and decoded as on a network (a handler never shares
 * memory with its caller but for the payload) and every byte is counted where it is sent: requests by the caller's
 * ledger, answers by the answering node's.
 * Calls of one node to another are delivered in the order they were made, unless a fault delays them.
 */
import assert from 'node:assert/strict'
import { decodeMessage, encodeMessage, type Message } from '#shared/binary/message.ts'
import { releaseAll, retainAll } from '#shared/binary/memory-pool.ts'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Cause, Ledger, LedgerCell } from '#shared/ledger/ledger.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import type { Cancel, Timer } from '#shared/runtime/runtime.ts'
import { decodeError, encodeError } from './carried-error.ts'
import { type AnyCall, type AnyHandler, bytesOf, isAbort, isWithPayload, NO_PAYLOAD, payloadCause, unavailable } from './any-call.ts'
import type { CallContext, CallOptions, CallReply, Handler, Transport } from './transport.ts'

/** What a simulated network does to one call; `delayMs` holds for each direction. `again`: the request comes twice. */
export type Fault = { readonly delayMs: number; readonly dropRequest: boolean; readonly dropReply: boolean; readonly again?: boolean }

export type InProcessOptions = {
  readonly ledger: Ledger // of nodes that bring none of their own
  readonly timer: Timer
  /** Takes what a handler threw that is no ZonewiseError: a bug. Unless given it is thrown, which ends the process. */
  readonly onBug?: (error: unknown) => void
}

export type Attachment = { readonly nodeId: number; readonly zone: string; readonly ledger?: Ledger }

type Answer = { readonly header: Uint8Array; readonly payload: readonly Uint8Array[]; readonly failed: boolean }

export class InProcessNetwork {
  /** Null: all calls arrive. */
  fault: ((from: number, to: number, call: AnyCall) => Fault | null) | null = null
  readonly timer: Timer
  readonly #ledger: Ledger
  readonly #onBug: (error: unknown) => void
  readonly #ports = new Map<number, Port>()

  constructor({ ledger, timer, onBug }: InProcessOptions) {
    this.#ledger = ledger
    this.timer = timer
    this.#onBug = onBug ?? ((error) => timer.soon(() => { throw error }))
  }

  /** Connects a node; a second life of a node needs `detach` of the first. */
  attach({ nodeId, zone, ledger }: Attachment): Transport {
    assert(!this.#ports.has(nodeId))
    const port = new Port(this, nodeId, zone, ledger ?? this.#ledger)
    this.#ports.set(nodeId, port)
    return port
  }

  /** Cuts a node off as if it died: calls to and from it in flight fail with RPC_UNAVAILABLE. */
  detach(nodeId: number): void {
    const port = this.#ports.get(nodeId)
    this.#ports.delete(nodeId)
    port?.cutOff()
  }

  port(nodeId: number): Port | undefined {
    return this.#ports.get(nodeId)
  }

  bug(error: unknown): void {
    this.#onBug(error)
  }
}

/** One life of a node at the hub. */
class Port implements Transport {
  readonly nodeId: number
  readonly zone: string
  readonly network: InProcessNetwork
  readonly flights = new Set<Flight>() // to and from this node, not settled
  readonly #ledger: Ledger
  readonly #cells = new Map<string, Partial<Record<Cause, LedgerCell>>>() // by the other end's zone
  readonly #handlers = new Map<number, AnyHandler>()
  #attached = true

  constructor(network: InProcessNetwork, nodeId: number, zone: string, ledger: Ledger) {
    this.network = network
    this.nodeId = nodeId
    this.zone = zone
    this.#ledger = ledger
  }

  call<Request, Response>(
    node: number, call: RpcCall<Request, Response>, request: Request, options: CallOptions
  ): Promise<CallReply<Response>> {
    const to = this.network.port(node)
    if (!this.#attached || to === undefined) return Promise.reject(unavailable('node is not there', node, call.name))
    const { signal, payload = NO_PAYLOAD } = options
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    const header = encode(call.request, request)
    this.count(to.zone, call.cause, header.byteLength, 1)
    if (payload.length > 0) this.count(to.zone, payloadCause(call), bytesOf(payload), 0)
    const flight = new Flight(this, to, call as unknown as AnyCall, header, options)
    return flight.start(options) as Promise<CallReply<Response>>
  }

  serve<Request, Response>(call: RpcCall<Request, Response>, handler: Handler<Request, Response>): void {
    assert(!this.#handlers.has(call.id))
    this.#handlers.set(call.id, handler as unknown as AnyHandler)
  }

  close(): void {
    if (this.#attached) this.network.detach(this.nodeId)
  }

  handler(call: AnyCall): AnyHandler | undefined {
    return this.#handlers.get(call.id)
  }

  get isAttached(): boolean {
    return this.#attached
  }

  cutOff(): void {
    this.#attached = false
    for (const flight of this.flights) flight.cutOff(this.nodeId)
  }

  count(toZone: string, cause: Cause, bytes: number, requests: number): void {
    let cells = this.#cells.get(toZone)
    if (cells === undefined) this.#cells.set(toZone, (cells = {}))
    const cell = (cells[cause] ??= this.#ledger.cell(this.zone, toZone, cause))
    cell.bytes += bytes
    cell.requests += requests
  }
}

/** One call on its way; also what its handler sees of the caller. */
class Flight implements CallContext {
  readonly fromNode: number
  readonly fromZone: string
  readonly payload: readonly Uint8Array[]
  readonly deadlineMs: number
  readonly priority: number
  readonly traceId: string
  readonly #from: Port
  readonly #to: Port
  readonly #call: AnyCall
  readonly #header: Uint8Array
  readonly #outcome = Promise.withResolvers<CallReply<unknown>>()
  #controller: AbortController | null = null // made only for a handler that looks
  #gaveUp: Error | null = null
  #settled = false
  #isLate = false
  #cancelDeadline: Cancel | null = null
  #stopListening: (() => void) | null = null

  constructor(from: Port, to: Port, call: AnyCall, header: Uint8Array, options: CallOptions) {
    const { deadlineMs, priority = 0, traceId = '', payload = NO_PAYLOAD } = options
    this.#from = from
    this.#to = to
    this.#call = call
    this.#header = header
    this.fromNode = from.nodeId
    this.fromZone = from.zone
    this.payload = payload
    this.deadlineMs = deadlineMs === Infinity ? 0 : deadlineMs
    this.priority = priority
    this.traceId = traceId
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#gaveUp !== null && !this.#isLate) this.#controller.abort(this.#gaveUp)
    }
    return this.#controller.signal
  }

  start({ deadlineMs, signal }: CallOptions): Promise<CallReply<unknown>> {
    const { network } = this.#from
    this.#from.flights.add(this)
    this.#to.flights.add(this)
    if (deadlineMs > 0 && deadlineMs < Infinity) {
      this.#cancelDeadline = network.timer.after(deadlineMs, () => {
        const context = { node: this.#to.nodeId, call: this.#call.name, deadlineMs }
        this.#giveUp(new ZonewiseError('RPC_TIMED_OUT', 'no answer in time', context))
      })
    }
    if (signal !== undefined) {
      const onAbort = (): void => this.#giveUp(signal.reason as Error)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#stopListening = () => signal.removeEventListener('abort', onAbort)
    }
    const fault = network.fault?.(this.fromNode, this.#to.nodeId, this.#call) ?? null
    if (fault?.dropRequest !== true) {
      retainAll(this.payload) // until it is handled: the caller may give up before
      this.#travel(fault, () => { void this.#deliver(fault) })
    }
    if (fault?.again === true) {
      retainAll(this.payload)
      network.timer.after(2 * fault.delayMs, () => { void this.#deliver(fault) })
    }
    return this.#outcome.promise
  }

  cutOff(node: number): void {
    this.#giveUp(unavailable('node went away', node, this.#call.name))
  }

  #travel(fault: Fault | null, arrive: () => void): void {
    if (fault !== null && fault.delayMs > 0) this.#from.network.timer.after(fault.delayMs, arrive)
    else queueMicrotask(arrive)
  }

  async #deliver(fault: Fault | null): Promise<void> {
    try {
      await this.#handle(fault)
    } catch (error) {
      this.#from.network.bug(error)
    } finally {
      releaseAll(this.payload)
    }
  }

  async #handle(fault: Fault | null): Promise<void> {
    if (this.#settled) {
      // What was sent arrives on a network even if nobody waits any more, before the word that nobody does.
      if (fault === null || !this.#to.isAttached) return
      this.#isLate = true
    }
    const handler = this.#to.handler(this.#call)
    if (handler === undefined) {
      this.#answer(failure(unavailable('node does not serve the call', this.#to.nodeId, this.#call.name)), fault)
      return
    }
    this.#answer(await this.#run(handler), fault)
  }

  async #run(handler: AnyHandler): Promise<Answer> {
    try {
      const result = await handler(decode(this.#call.request, this.#header), this)
      const reply = isWithPayload(result) ? result : { response: result, payload: NO_PAYLOAD }
      return { header: encode(this.#call.response, reply.response), payload: reply.payload, failed: false }
    } catch (error) {
      if (error instanceof ZonewiseError) return failure(error)
      // A signal's reason is no bug: the caller's coming back after it gave up, or that of something stopped here.
      if (!this.#settled && !isAbort(error)) this.#from.network.bug(error)
      return failure(unavailable('handler failed', this.#to.nodeId, this.#call.name))
    }
  }

  #answer(answer: Answer, fault: Fault | null): void {
    if (this.#settled) return releaseAll(answer.payload) // nobody waits any more
    this.#to.count(this.fromZone, this.#call.cause, answer.header.byteLength, 0)
    if (answer.payload.length > 0) this.#to.count(this.fromZone, payloadCause(this.#call), bytesOf(answer.payload), 0)
    if (fault?.dropReply === true) return releaseAll(answer.payload)
    if (fault !== null && fault.delayMs > 0) this.#travel(fault, () => this.#arrive(answer))
    else this.#arrive(answer)
  }

  #arrive(answer: Answer): void {
    if (this.#settled) return releaseAll(answer.payload)
    this.#settle()
    if (answer.failed) this.#outcome.reject(decodeError(answer.header))
    else this.#outcome.resolve({ response: decode(this.#call.response, answer.header), payload: answer.payload })
  }

  #giveUp(error: Error): void {
    if (this.#settled) return
    this.#gaveUp = error
    this.#settle()
    this.#outcome.reject(error)
    this.#controller?.abort(error)
  }

  #settle(): void {
    this.#settled = true
    this.#cancelDeadline?.()
    this.#stopListening?.()
    this.#from.flights.delete(this)
    this.#to.flights.delete(this)
  }
}

function encode<T>(of: Message<T>, value: T): Uint8Array {
  const w = new Writer()
  encodeMessage(of, of.versionMax, value, w)
  const chunks = w.finish()
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}

function decode<T>(of: Message<T>, bytes: Uint8Array): T {
  const r = new Reader(bytes)
  const value = decodeMessage(of, of.versionMax, r)
  r.expectEnd()
  return value
}

function failure(error: ZonewiseError): Answer {
  return { header: encodeError(error), payload: NO_PAYLOAD, failed: true }
}
