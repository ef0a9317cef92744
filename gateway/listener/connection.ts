/**
 * One client connection: frames in, handlers called, answers out.
 * - Answers leave in the order of the requests (PROTOCOL 1). A request begins when all before it are answered; a Produce
 *   request also beside earlier Produce requests: producers pipeline, and ingest keeps the order it is called in.
 * - Bounded: requests and bytes in work or waiting (else the socket is not read), answers that a slow reader leaves
 *   (else nothing further is begun), and the same bytes over the whole node (`ConnectionHost`).
 * - Whatever cannot be answered closes the connection with a FIN behind the answers of earlier requests.
 */
import { release } from '#shared/binary/memory-pool.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Socket, SocketHandlers } from '#shared/runtime/network.ts'
import type { GatewayServices } from '../api/handler.ts'
import type { ServedTable } from '../api/served-table.ts'
import { AnswerQueue, type Answer } from './answer-queue.ts'
import type { Client, OrderKeeper } from './client.ts'
import { encodeAnswer, parseRequest, peekApiKey, type ParsedRequest } from './dispatch.ts'
import type { FrameArena } from './frame-arena.ts'
import { FrameAssembler, type FrameSink } from './frame-assembler.ts'
import { FrameQueue } from './frame-queue.ts'
import type { LimitedLog } from '#shared/log/limited-log.ts'
import type { NodeBytes } from './node-bytes.ts'
import { Output } from './output.ts'
import type { ListenerMetrics } from '../metrics.ts'

const LENGTH_BYTES = 4
const MS_PER_SECOND = 1_000
const END_GRACE_MS = 10_000 // after our FIN the peer has so long to read and send its own

/** What all connections of a node share. */
export type ConnectionHost = {
  readonly services: GatewayServices
  readonly table: ServedTable
  readonly arena: FrameArena
  readonly bytes: NodeBytes
  readonly refusals: LimitedLog
  readonly metrics: ListenerMetrics
  closed(connection: Connection): void
}

export class Connection implements SocketHandlers, FrameSink, OrderKeeper {
  readonly #host: ConnectionHost
  readonly #socket: Socket
  readonly client: Client
  readonly #assembler: FrameAssembler
  readonly #answers = new AnswerQueue()
  readonly #waiting = new FrameQueue() // frames not begun
  #requests = 0 // in work or waiting
  #requestBytes = 0
  readonly #output: Output
  #flushDue = false
  #pumping = false
  #holds = 0 // handlers that have yet to fix the order of their effects
  #paused = false
  #refused = false // nothing further is read or begun; ends behind the last answer
  #muted = false // a request failed: what is answered after it is dropped
  #endedMs = -1
  #closed = false
  #activeMs: number
  #unattributedBytes = 0 // received, and not yet of a complete frame

  constructor(host: ConnectionHost, socket: Socket, client: Client) {
    this.#host = host
    this.#socket = socket
    this.client = client
    this.#assembler = new FrameAssembler(host.arena, host.services.settings.socketRequestMaxBytes, this)
    this.#output = new Output({
      socket, count: host.services.answerBytes, nowMs: () => this.#nowMs(), onTaken: () => { this.#sent() },
      take: (length) => host.arena.room(length),
      onLost: ({ message, context, code }) => { this.#abandon(message, { ...context, code }) }
    })
    this.#activeMs = this.#nowMs()
  }

  data(bytes: Uint8Array): void {
    this.#activeMs = this.#nowMs()
    this.#unattributedBytes += bytes.length
    if (this.#refused) return
    const heldBefore = this.#assembler.heldBytes
    const readable = this.#assembler.push(bytes)
    this.#host.bytes.addPartial(this.#assembler.heldBytes - heldBefore)
    if (!readable) this.#refuse('frame length out of bounds', {})
    else if (this.#host.bytes.partialOverflows) this.#refuse('too many bytes of incomplete requests', {})
    this.#updateReading()
  }

  frame(frame: Buffer): void {
    if (this.#refused) return
    this.#requests += 1
    this.#requestBytes += frame.length
    this.#host.bytes.add(frame.length)
    if (this.#waiting.first !== undefined || !this.#mayBegin(frame)) this.#waiting.push(frame)
    else this.#begin(frame)
  }

  drain(): void {}

  closed(error: Error | null): void {
    this.#closed = true
    this.#refused = true
    this.#dropWaiting()
    this.#host.bytes.addPartial(-this.#assembler.heldBytes)
    this.#assembler.close()
    this.client.cells('client').received.bytes += this.#unattributedBytes
    this.#unattributedBytes = 0
    this.#output.drop()
    this.client.leave()
    if (error !== null) {
      this.#host.services.log.debug('connection lost', { connectionId: this.client.connectionId, error: error.message })
    }
    this.#host.closed(this)
  }

  /** The node has room again. */
  roomAgain(): void {
    this.#updateReading()
  }

  holdOrder(): () => void {
    this.#holds += 1
    let released = false
    return () => {
      if (released) return
      released = true
      this.#holds -= 1
      if (!this.#closed) this.#advance()
    }
  }

  /** Answers what is in work, then ends. */
  finish(): void {
    if (this.#refused) return
    this.#refused = true
    this.#dropWaiting()
    this.#advance()
  }

  destroy(): void {
    if (!this.#closed) this.#socket.destroy()
  }

  /** Ends the connection if nothing has happened on it for `idleMs`; called by one sweep for all. */
  endIfIdle(idleMs: number): void {
    const nowMs = this.#nowMs()
    if (this.#closed) return
    if (this.#endedMs >= 0) {
      if (nowMs - this.#endedMs >= END_GRACE_MS) this.#socket.destroy()
      return
    }
    if (nowMs - this.#activeMs < idleMs) return
    if (this.#output.bytes > 0) this.#socket.destroy() // a FIN would wait behind what is never read
    else if (this.#answers.length === 0) this.finish()
  }

  /** For how long the client has read nothing of its answers. */
  stalledMs(): number {
    return this.#closed ? 0 : this.#output.stalledMs()
  }

  /** Keeps no answer in memory that has waited longer than `ms` and can be read again. */
  letGoOfOldAnswers(ms: number): void {
    this.#output.letGo(ms)
  }

  /** Ends the connection of a client that reads nothing, though others need the room. */
  giveUp(): void {
    this.#abandon('answers are not read, and others need the room', { stalledMs: Math.round(this.stalledMs()) })
  }

  #mayBegin(frame: Buffer): boolean {
    const { settings } = this.#host.services
    if (this.#output.bytes > settings.connectionAnswerBytesMax) return false
    if (this.#holds > 0) return false
    if (this.#answers.length === 0) return true
    return this.#answers.allPipelined && this.#host.table.byKey[peekApiKey(frame)]?.pipelined === true
  }

  #begin(frame: Buffer): void {
    let parsed: ParsedRequest
    try {
      parsed = parseRequest(frame, this.#host.table, this.#host.services.settings.requestPartitionsMax)
    } catch (error) {
      this.#release(frame)
      if (!(error instanceof ZonewiseError)) throw error
      this.#refuse(error.message, error.context)
      return
    }
    const context = this.client.context(parsed.clientId, this)
    const { received, sent } = this.client.cells(parsed.served.cause)
    received.bytes += LENGTH_BYTES + frame.length
    received.requests += 1
    this.#unattributedBytes -= LENGTH_BYTES + frame.length
    const { pipelined, handler, api } = parsed.served
    const metrics = this.#host.metrics.ofApi(api.name)
    metrics.requests.add(1)
    const answer: Answer = {
      frame, context, pipelined, outCell: sent, startedMs: this.#nowMs(), metrics, ready: false, chunks: null, failed: false
    }
    this.#answers.push(answer)
    try {
      const response = handler(context, parsed.version, parsed.body, this.#host.services)
      if (response instanceof Promise) {
        response.then(
          (value) => { this.#settle(answer, parsed, value) }, (error: unknown) => { this.#fail(answer, parsed, error) }
        )
      } else this.#settle(answer, parsed, response)
    } catch (error) {
      this.#fail(answer, parsed, error)
    }
  }

  #settle(answer: Answer, parsed: ParsedRequest, response: unknown): void {
    try {
      if (response !== null && !this.#closed) answer.chunks = encodeAnswer(parsed, response)
    } catch (error) {
      return this.#fail(answer, parsed, error)
    }
    answer.ready = true
    answer.metrics.seconds.observe((this.#nowMs() - answer.startedMs) / MS_PER_SECOND)
    this.#advance()
  }

  #fail(answer: Answer, parsed: ParsedRequest, error: unknown): void {
    if (answer.ready) throw error // of a handler that answered at once: a bug of the flow, not of the request
    const api = parsed.served.api.name
    if (error instanceof ZonewiseError) {
      if (!this.#closed) this.#logRefusal(error.message, { ...error.context, code: error.code, api })
    } else if (!this.client.signal.aborted) {
      this.#host.services.log.error('request failed by a bug', { connectionId: this.client.connectionId, api, error })
    }
    answer.failed = true
    answer.ready = true
    this.#refused = true
    this.#dropWaiting()
    this.#advance()
  }

  /** Moves finished answers to the output, begins what may begin now, and ends the connection when it is done. */
  #advance(): void {
    for (let answer = this.#answers.takeReady(); answer !== null; answer = this.#answers.takeReady()) this.#take(answer)
    this.#pump()
    this.#updateReading()
    if (this.#output.isReady || (this.#refused && this.#answers.length === 0)) this.#flushSoon()
  }

  #take(answer: Answer): void {
    this.#release(answer.frame)
    if (answer.failed) this.#muted = true
    if (answer.chunks !== null && !this.#muted && !this.#closed) {
      answer.outCell.bytes += this.#output.push(answer.chunks, answer.context.readAgain)
      answer.outCell.requests += 1
    }
    answer.context.finish()
  }

  #pump(): void {
    if (this.#pumping) return // a handler that answers at once is inside the loop below
    this.#pumping = true
    for (let frame = this.#waiting.first; frame !== undefined && this.#mayBegin(frame); frame = this.#waiting.first) {
      this.#waiting.shift()
      this.#begin(frame)
    }
    this.#pumping = false
  }

  #flushSoon(): void {
    if (this.#flushDue) return
    this.#flushDue = true
    this.#host.services.runtime.timer.soon(() => { this.#flush() })
  }

  #flush(): void {
    this.#flushDue = false
    if (this.#closed || this.#endedMs >= 0) return
    this.#activeMs = this.#nowMs()
    this.#output.flush()
    if (this.#refused && this.#answers.length === 0) {
      this.#endedMs = this.#nowMs()
      this.#endIfSent()
      return
    }
    this.#pump()
    this.#updateReading()
  }

  /** The kernel has taken all that the socket was given. */
  #sent(): void {
    if (this.#closed) return
    this.#activeMs = this.#nowMs()
    this.#output.flush()
    if (this.#endedMs >= 0) this.#endIfSent()
    else this.#advance()
  }

  /** Ends the connection in the middle of an answer. */
  #abandon(reason: string, context: Readonly<Record<string, unknown>>): void {
    this.#logRefusal(reason, context)
    this.destroy()
  }

  #endIfSent(): void {
    if (this.#output.bytes === 0) this.#socket.end()
  }

  #refuse(reason: string, context: Readonly<Record<string, unknown>>): void {
    this.#refused = true
    this.#logRefusal(reason, context)
    this.#dropWaiting()
    this.#advance()
  }

  #logRefusal(reason: string, context: Readonly<Record<string, unknown>>): void {
    const { connectionId, host: clientHost, listener } = this.client
    this.#host.metrics.refusals.add(1)
    this.#host.refusals.warn('client connection closed', { reason, ...context, connectionId, clientHost, listener: listener.name })
  }

  #dropWaiting(): void {
    for (let frame = this.#waiting.first; frame !== undefined; frame = this.#waiting.first) {
      this.#waiting.shift()
      this.#release(frame)
    }
  }

  #release(frame: Buffer): void {
    this.#requests -= 1
    this.#requestBytes -= frame.length
    this.#host.bytes.release(frame.length)
    release(frame) // a handler that waits no more reads no more
  }

  #updateReading(): void {
    if (this.#closed) return
    const { settings } = this.#host.services
    const full = this.#requests >= settings.connectionRequestsMax ||
      this.#requestBytes >= settings.connectionInFlightBytesMax || this.#host.bytes.isFull
    if (full && !this.#refused) {
      if (this.#host.bytes.isFull) this.#host.bytes.waitForRoom(this)
      if (!this.#paused) this.#socket.pause()
      this.#paused = true
    } else if (this.#paused) {
      this.#paused = false
      this.#socket.resume()
    }
  }

  #nowMs(): number {
    return this.#host.services.runtime.clock.monotonicMs()
  }
}
