/** A Redis command as bytes (RESP2 array of bulk strings), laid out in one buffer: each argument is copied once. */
import type { RedisArgument } from '#shared/runtime/redis.ts'

const CR = 0x0d
const LF = 0x0a
const OVERHEAD_BYTES = 16 // `$<length>\r\n` and `\r\n` of an argument below 100 MB, and of the array's head

export function encodeFrame(command: string, args: readonly RedisArgument[]): Buffer {
  let bytes = 2 * OVERHEAD_BYTES + command.length
  for (const argument of args) bytes += OVERHEAD_BYTES + lengthMax(argument)
  const frame = Buffer.allocUnsafe(bytes)
  let at = head(frame, 0, '*', args.length + 1)
  at = text(frame, at, command)
  for (const argument of args) at = add(frame, at, argument)
  return frame.subarray(0, at)
}

function lengthMax(argument: RedisArgument): number {
  if (typeof argument === 'string') return argument.length * 3
  if (typeof argument === 'number') return 24
  return argument instanceof Uint8Array ? argument.byteLength : total(argument)
}

function total(chunks: readonly Uint8Array[]): number {
  let bytes = 0
  for (const chunk of chunks) bytes += chunk.byteLength
  return bytes
}

function add(frame: Buffer, start: number, argument: RedisArgument): number {
  if (typeof argument === 'string') return text(frame, start, argument)
  if (typeof argument === 'number') return text(frame, start, String(argument))
  const single = argument instanceof Uint8Array
  let at = head(frame, start, '$', single ? argument.byteLength : total(argument))
  if (single) {
    frame.set(argument, at)
    at += argument.byteLength
  } else {
    for (const chunk of argument) {
      frame.set(chunk, at)
      at += chunk.byteLength
    }
  }
  return end(frame, at)
}

function text(frame: Buffer, start: number, value: string): number {
  const at = head(frame, start, '$', Buffer.byteLength(value))
  return end(frame, at + frame.write(value, at))
}

function head(frame: Buffer, start: number, mark: '*' | '$', count: number): number {
  return end(frame, start + frame.write(`${mark}${count}`, start, 'latin1'))
}

function end(frame: Buffer, start: number): number {
  frame[start] = CR
  frame[start + 1] = LF
  return start + 2
}
