/** Settings of the connection to Redis. */
import { defineSettings, int } from '#shared/config/settings.ts'

const KiB = 1_024
const MiB = 1_024 * KiB
const GiB = 1_024 * MiB
const SECOND = 1_000
const MINUTE = 60 * SECOND

export const redisSettings = defineSettings('JOURNAL', {
  redisConnectTimeoutMs: int({ unit: 'ms', default: 3 * SECOND, min: 100, max: MINUTE, doc: 'How long a connection to Redis, its handshake included, may stand still before another is tried.' }),
  redisCallTimeoutMs: int({ unit: 'ms', default: 3 * SECOND, min: 100, max: MINUTE, doc: 'How long Redis may send nothing while calls wait; then the connection is given up and the outcome of the calls is unknown.' }),
  redisRetryMaxMs: int({ unit: 'ms', default: 2 * SECOND, min: 10, max: MINUTE, doc: 'Longest wait before Redis is tried again; the first is 10 ms, then it doubles.' }),
  redisCallsMax: int({ default: 10_000, min: 16, max: 1_000_000, doc: 'Calls that wait for one Redis server; above it they are refused and come again.' }),
  redisCallBytesMax: int({ unit: 'bytes', default: 256 * MiB, min: MiB, max: 16 * GiB, doc: 'Bytes of calls that wait for one Redis server; above it they are refused and come again.' }),
  redisReadBytes: int({ unit: 'bytes', default: MiB, min: 16 * KiB, max: 256 * MiB, doc: 'Size that one reply with journal groups is aimed at; a group is never split.' }),
  redisReadGroupsMax: int({ default: 1_024, min: 1, max: 100_000, doc: 'Journal groups that one reply of Redis may hold.' }),
  redisTailBlockMs: int({ unit: 'ms', default: 10 * SECOND, min: 100, max: 10 * MINUTE, doc: 'How long Redis holds the call that follows the journals when there is nothing new.' }),
  redisTrimGroupsMax: int({ default: 10_000, min: 100, max: 1_000_000, doc: 'Journal groups that Redis lets go of in one step.' })
})

export type RedisSettings = ReturnType<typeof redisSettings.load>
