/**
 * Redis as an argument: one implementation over sockets (cli/platform/redis.ts), one in memory (test/support). A call
 * is sent at most once: it waits in no queue while there is no connection, and is not sent again after one was lost.
 */

/** A list is sent joined, as one argument. Bytes are referenced until the call has settled. */
export type RedisArgument = string | number | Uint8Array | readonly Uint8Array[]

/** An error reply of the server, as a value: 'OOM command not allowed ...'. */
export class RedisRefusal {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Texts are bytes, too. Bytes are the caller's for ever. */
export type RedisValue = null | number | Uint8Array | readonly RedisValue[]

export type RedisReply = RedisValue | RedisRefusal

/** A Lua script with one key, sent by its digest where the server has it already. */
export type RedisScript = { readonly name: string; readonly lua: string; readonly sha1: string }

/** One connection to one server, made again by itself when it is lost. */
export type RedisChannel = {
  /** @throws ZonewiseError REDIS_UNAVAILABLE: no reply; the call may or may not have happened, now or a little later */
  call(command: string, args: readonly RedisArgument[]): Promise<RedisReply>
  /** Drops the connection; calls under way fail, and until it is made again so do new ones. */
  reset(reason: string): void
  close(): void
}

export type RedisPrimary = { readonly name: string; readonly channel: Pick<RedisChannel, 'call'> }

/** Of all connections since the beginning, as the sockets counted them. */
export type RedisTraffic = { readonly calls: number; readonly bytesSent: number; readonly bytesReceived: number }

export type Redis = {
  /** Where it is, without secrets. */
  readonly name: string
  /** Resolves once calls can be made. @throws ZonewiseError REDIS_UNAVAILABLE: it took longer than a connection may */
  ready(): Promise<void>
  /** Calls the primary that holds `key`. @throws as RedisChannel.call */
  call(key: string, command: string, args: readonly RedisArgument[]): Promise<RedisReply>
  /** Runs a script with `key` on the primary that holds it. @throws as RedisChannel.call */
  run(script: RedisScript, key: string, args: readonly RedisArgument[]): Promise<RedisReply>
  /** A connection of its own to the primary of `key`, for calls that block up to `blockMs`; the caller closes it. */
  blocking(key: string, blockMs: number): RedisChannel
  /** All servers that hold keys now. @throws as RedisChannel.call */
  primaries(): Promise<readonly RedisPrimary[]>
  traffic(): RedisTraffic
  close(): Promise<void>
}
