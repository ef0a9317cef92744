/**
 * One connection to one Redis server, by ioredis: the only place that names it. Everything of ioredis that queues,
 * sends again or follows redirects is off: a call is written at once or refused, and when the connection ends, every
 * call that was under way fails, once. ioredis connects, greets, reconnects and parses.
 */
import { Command, Redis as IoRedis, type RedisOptions as IoRedisOptions } from 'ioredis'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { RedisSettings } from '#shared/journal/redis-config.ts'
import type { Log } from '#shared/log/log.ts'
import {
  type RedisArgument, type RedisChannel, RedisRefusal, type RedisReply, type RedisScript, type RedisTraffic
} from '#shared/runtime/redis.ts'
import type { Runtime } from '#shared/runtime/runtime.ts'
import { encodeFrame } from './redis-frame.ts'

const RETRY_FIRST_MS = 10
const LOADING_RETRY_MS = 250
const KEEP_ALIVE_MS = 10_000
const QUIET_LOOKS = 3 // in a row without news, before a connection is given up
const REPLICA = 'READONLY'

/** Where to, and as whom; from redis.ts. */
export type Target = Pick<IoRedisOptions,
  'host' | 'port' | 'username' | 'password' | 'db' | 'tls' | 'sentinels' | 'name' | 'sentinelUsername' |
  'sentinelPassword' | 'sentinelTLS' | 'enableTLSForSentinelMode'>

export type ConnectionParts = {
  readonly target: Target
  readonly name: string // for log lines
  readonly quietMs: number // nothing heard for so long, or a third more, while calls wait: it is given up
  readonly runtime: Runtime
  readonly settings: RedisSettings
  readonly log: Log
}

/** Its bytes are ready: ioredis neither copies them nor keeps the arguments. */
class FrameCommand extends Command {
  readonly #frame: Buffer

  constructor(name: string, frame: Buffer) {
    super(name, [], { replyEncoding: null })
    this.#frame = frame
  }

  override toWritable(): Buffer {
    return this.#frame
  }
}

export class RedisConnection implements RedisChannel {
  readonly name: string
  readonly #parts: ConnectionParts
  readonly #redis: IoRedis
  #pendingCount = 0
  #pendingBytes = 0
  #corked = false
  #turnCount = 0 // calls since the last write of several
  #isBusy = false // the last such write had several
  #watching = false
  #reason = 'it is being connected' // why there is no connection, or will have been none
  #isGreeted = false // since the newest connection was greeted
  #hasNoDatabase = false
  #isLookingAgain = false
  #lookedAgainMs = -Infinity
  #calls = 0
  #stream: IoRedis['stream'] | null = null // of which the bytes are not in `closedBytes` yet
  #closedBytes = { sent: 0, received: 0 }
  #closed = false

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    this.name = parts.name
    const { target, settings, runtime } = parts
    const retryMs = (attempt: number): number => {
      const ms = Math.min(RETRY_FIRST_MS * 2 ** Math.min(attempt - 1, 20), settings.redisRetryMaxMs)
      return ms / 2 + runtime.chance.below(Math.ceil(ms / 2) + 1) // nodes do not come all at once
    }
    this.#redis = new IoRedis({
      ...target,
      protocol: 2, // no HELLO, which old and managed servers may not have
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0, // fails what was under way when the connection ends
      enableAutoPipelining: false,
      enableReadyCheck: true, // waits while the server loads its data
      maxLoadingRetryTime: LOADING_RETRY_MS,
      disableClientInfo: true,
      connectTimeout: settings.redisConnectTimeoutMs,
      sentinelCommandTimeout: settings.redisConnectTimeoutMs,
      keepAlive: KEEP_ALIVE_MS,
      noDelay: true,
      retryStrategy: retryMs,
      sentinelRetryStrategy: retryMs,
      sentinelReconnectStrategy: retryMs,
      reconnectOnError: (error) => error.message.includes(REPLICA) && this.#lookAgain()
    })
    this.#redis.on('connect', () => { this.#connected() })
    this.#redis.on('ready', () => { this.#ready() })
    this.#redis.on('error', (error: Error) => { this.#failed(error) })
    this.#redis.on('close', () => { this.#lost() })
  }

  /** ioredis calls itself ready even where the server refused to choose the database. */
  get isReady(): boolean {
    return this.#redis.status === 'ready' && this.#isGreeted
  }

  /** Why it is not. */
  get reason(): string {
    return this.#reason
  }

  get traffic(): RedisTraffic {
    return {
      calls: this.#calls,
      bytesSent: this.#closedBytes.sent + (this.#stream?.bytesWritten ?? 0),
      bytesReceived: this.#closedBytes.received + (this.#stream?.bytesRead ?? 0)
    }
  }

  async call(command: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    if (!this.isReady) throw this.#unavailable(this.#reason)
    const frame = encodeFrame(command, args)
    const { redisCallsMax, redisCallBytesMax } = this.#parts.settings
    if (this.#pendingCount >= redisCallsMax || this.#pendingBytes + frame.byteLength > redisCallBytesMax)
      throw this.#unavailable('too many calls wait for it')
    const sent = new FrameCommand(command, frame)
    this.#pendingCount += 1
    this.#pendingBytes += frame.byteLength
    this.#calls += 1
    this.#cork()
    this.#watch()
    this.#redis.sendCommand(sent)
    try {
      return await (sent.promise as Promise<RedisReply>)
    } catch (error) {
      // ioredis gives an error reply of the server this name; everything else is a reply that did not come.
      if ((error as Error).name === 'ReplyError') return new RedisRefusal((error as Error).message)
      throw this.#unavailable(this.#reason, error)
    } finally {
      this.#pendingCount -= 1
      this.#pendingBytes -= frame.byteLength
    }
  }

  /** Sends the digest of the script, and its text only to a server that does not have it. @throws as call */
  async run(script: RedisScript, key: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    const reply = await this.call('EVALSHA', [script.sha1, 1, key, ...args])
    const isUnknown = reply instanceof RedisRefusal && reply.text.startsWith('NOSCRIPT')
    return isUnknown ? this.call('EVAL', [script.lua, 1, key, ...args]) : reply
  }

  reset(reason: string): void {
    this.#because(reason)
    this.#redis.stream?.destroy()
  }

  close(): void {
    this.#closed = true
    this.#redis.disconnect()
    this.#redis.stream?.destroy()
  }

  /** Calls of one turn go out in one write; one that is alone, as those before it were, goes out at once. */
  #cork(): void {
    this.#turnCount += 1
    if (this.#corked || (this.#pendingCount === 1 && !this.#isBusy)) return
    const { stream } = this.#redis
    this.#corked = true
    stream.cork()
    this.#parts.runtime.timer.soon(() => {
      this.#corked = false
      this.#isBusy = this.#turnCount > 1
      this.#turnCount = 0
      stream.uncork()
    })
  }

  /** While calls wait, looks now and then whether anything was heard. */
  #watch(): void {
    if (this.#watching) return
    this.#watching = true
    this.#listen(this.#redis.stream, this.#redis.stream.bytesRead, 0)
  }

  #listen(stream: IoRedis['stream'], heardBytes: number, quietLooks: number): void {
    const { runtime: { timer }, quietMs } = this.#parts
    timer.after(quietMs / QUIET_LOOKS, () => {
      // A process that slept itself reads what came meanwhile before it judges.
      timer.soon(() => {
        const isQuiet = stream.bytesRead === heardBytes
        const isOver = isQuiet && quietLooks + 1 === QUIET_LOOKS
        if (this.#pendingCount > 0 && this.#redis.stream === stream && !isOver) {
          this.#listen(stream, stream.bytesRead, isQuiet ? quietLooks + 1 : 0)
          return
        }
        this.#watching = false
        if (this.#pendingCount === 0) return
        if (this.#redis.stream === stream) this.reset(`it sent nothing for ${quietMs} ms`)
        else this.#watch()
      })
    })
  }

  #connected(): void {
    const { stream } = this.#redis
    this.#hasNoDatabase = false
    this.#stream = stream
    stream.once('close', () => {
      const { sent, received } = this.#closedBytes
      this.#closedBytes = { sent: sent + stream.bytesWritten, received: received + stream.bytesRead }
      if (this.#stream === stream) this.#stream = null
    })
    this.#watchHandshake(stream, 0)
  }

  /** A server that accepts but does not greet would hold the connection for ever. */
  #watchHandshake(stream: IoRedis['stream'], heardBytes: number): void {
    this.#parts.runtime.timer.after(this.#parts.settings.redisConnectTimeoutMs, () => {
      if (this.#redis.stream !== stream || this.#redis.status !== 'connect') return
      if (stream.bytesRead === heardBytes) this.reset('it accepts connections, but does not answer')
      else this.#watchHandshake(stream, stream.bytesRead)
    })
  }

  /** The server became a replica: the address, or its Sentinels, may lead to another one now. Not a change to tell. */
  #lookAgain(): boolean {
    const nowMs = this.#parts.runtime.clock.monotonicMs()
    if (nowMs - this.#lookedAgainMs < this.#parts.settings.redisRetryMaxMs) return false
    this.#lookedAgainMs = nowMs
    this.#isLookingAgain = true
    this.#reason = 'the server is a replica'
    return true
  }

  #ready(): void {
    if (this.#hasNoDatabase) return // until it comes back with one
    this.#isGreeted = true
    this.#reason = 'the connection was lost'
    if (!this.#isLookingAgain) this.#parts.log.info('redis connected', { redis: this.name })
    this.#isLookingAgain = false
  }

  #failed(error: Error & { readonly command?: { readonly name: string } }): void {
    if (error.command?.name === 'select') {
      this.#hasNoDatabase = true
      this.#because(`it does not give database ${this.#parts.target.db}: ${error.message}`)
    } else {
      this.#because(error.message === '' ? error.name : error.message)
    }
  }

  #because(reason: string): void {
    const isNews = !this.#isGreeted && reason !== this.#reason && !this.#closed
    this.#reason = reason
    if (isNews) this.#parts.log.warn('redis is not reachable', { redis: this.name, reason })
  }

  #lost(): void {
    if (!this.#isGreeted) return
    this.#isGreeted = false
    if (!this.#closed && !this.#isLookingAgain) this.#parts.log.warn('redis connection lost', { redis: this.name, reason: this.#reason })
  }

  #unavailable(reason: string, cause?: unknown): ZonewiseError {
    return new ZonewiseError('REDIS_UNAVAILABLE', 'Redis did not answer', { redis: this.name, reason }, cause)
  }
}

export function sumOfTraffic(all: readonly RedisTraffic[]): RedisTraffic {
  return all.reduce((sum, one) => ({
    calls: sum.calls + one.calls,
    bytesSent: sum.bytesSent + one.bytesSent,
    bytesReceived: sum.bytesReceived + one.bytesReceived
  }), { calls: 0, bytesSent: 0, bytesReceived: 0 })
}
