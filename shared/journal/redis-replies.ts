/** Replies of Redis: what the refusals mean, in words for log lines, and how values are taken out of lists. */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { RedisValue } from '../runtime/redis.ts'

type Row = { readonly pattern: RegExp; readonly meaning: string }

const FULL = /\bOOM\b/

/** The first that fits; Redis 6 puts the code of a script's error into the middle of the text. */
const ROWS: readonly Row[] = [
  { pattern: FULL, meaning: 'Redis is full: raise its maxmemory, or let snapshots catch up, they trim journals' },
  { pattern: /\bMISCONF\b/, meaning: 'Redis cannot write to its disk: look at its log' },
  { pattern: /\bREADONLY\b/, meaning: 'this Redis is a replica: name its primary' },
  { pattern: /\bLOADING\b/, meaning: 'Redis is loading its data' },
  { pattern: /\bMASTERDOWN\b/, meaning: 'this Redis is a replica that lost its primary' },
  { pattern: /\bNOREPLICAS\b/, meaning: 'Redis has fewer replicas than its min-replicas-to-write asks for' },
  { pattern: /\b(MOVED|ASK|TRYAGAIN)\b/, meaning: 'the hash slot moves to another server of the Redis Cluster' },
  { pattern: /\bCLUSTERDOWN\b/, meaning: 'the Redis Cluster does not serve the hash slot' },
  { pattern: /\b(NOAUTH|WRONGPASS)\b/, meaning: 'Redis does not accept user and password' },
  { pattern: /\bNOPERM\b/, meaning: 'the Redis user may not: give it +@read +@write +@scripting and ~<prefix>:*' },
  { pattern: /\bBUSY\b/, meaning: 'Redis runs a long script of somebody else' },
  { pattern: /\bWRONGTYPE\b/, meaning: 'another program uses our keys: give --journal a prefix of its own' },
  { pattern: /cluster support disabled/, meaning: 'this Redis is no cluster: use redis:// instead of redis+cluster://' }
]

const TEXT_MAX = 200

/** Whether there is no memory for it: what was trimmed makes room. */
export function isFull(text: string): boolean {
  return FULL.test(text)
}

/** A refusal in words; unknown ones as they are, cut short. */
export function meaningOf(text: string): string {
  const row = ROWS.find(({ pattern }) => pattern.test(text))
  const shown = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}...` : text
  return row === undefined ? `Redis says "${shown}"` : row.meaning
}

/** The elements of a list. @throws ZonewiseError JOURNAL_UNSETTLED: the reply has another shape */
export function listOf(reply: RedisValue | undefined): readonly RedisValue[] {
  if (!Array.isArray(reply)) throw strange(reply)
  return reply as readonly RedisValue[]
}

/** One element of a list. @throws as listOf */
export function fieldOf(reply: RedisValue | undefined, index: number): RedisValue {
  const field = listOf(reply)[index]
  if (field === undefined) throw strange(reply)
  return field
}

/** @throws as listOf */
export function bytesOf(reply: RedisValue | undefined): Uint8Array {
  if (!(reply instanceof Uint8Array)) throw strange(reply)
  return reply
}

/** @throws as listOf */
export function textOf(reply: RedisValue | undefined): string {
  return new TextDecoder().decode(bytesOf(reply))
}

function strange(reply: RedisValue | undefined): ZonewiseError {
  const shape = reply === null ? 'nothing' : Array.isArray(reply) ? `a list of ${reply.length}` : typeof reply
  return new ZonewiseError('JOURNAL_UNSETTLED', 'Redis sent a reply of an unknown shape', { shape })
}
