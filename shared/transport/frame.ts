/**
 * Frames of the stream between two nodes, protocol 1. All integers are big-endian; `uv` is an unsigned varint of at
 * most 32 bits. The node that dialled calls, the other one serves; each direction has its own kinds of frames.
 *
 *   frame      length u24 (of the body) | type u8 | body
 *   type       bits 0-3 kind | bit 4 PAYLOAD | bit 5 BEGINS | bit 6 EXTENDED | bit 7 is zero
 *
 *   from the caller
 *   request    1   slot uv | call uv | deadlineMs uv (what is left; 0: none) | extension | sizes | data
 *   cancel     2   slot uv | reason u8 (1 timed out, 2 given up)
 *   from the server
 *   answer     3   slot uv | sizes | data
 *   error      4   slot uv | data: JSON of code, message and context
 *   cancelled  5   slot uv: the last word about a call that was cancelled
 *   from both
 *   more       6   slot uv | data: the next bytes of the message that BEGINS began
 *   ping       7   nothing: the sender lives
 *
 *   extension  only if EXTENDED: bits u8 (bit 0 TRACED, bit 1 VERSIONED, bits 4-7 priority) | traceId 16 bytes, if
 *              TRACED | version u8 of the call's messages, if VERSIONED
 *   sizes      headBytes u32 | payloadBytes u32 | chunkCount uv, if PAYLOAD; headBytes u32, if only BEGINS; else
 *              nothing: data is all head
 *   head       length uv of each payload buffer, unless there is one or none | the message by the call's schema
 *   data       the head, then the payload. With BEGINS its first bytes, the others follow in `more`; frames of other
 *              messages may lie between
 *
 * A call has a slot of the caller's choice, below the callsMax of the handshake, from its request to the last word
 * about it: an answer, an error or `cancelled`. After that the caller uses the slot again. A server says nothing about
 * a request that is not complete, unless it is cancelled.
 * Messages begun and not sent to the end are together no longer than the window that the peer named in the handshake,
 * but for one that is bigger than the window for itself.
 */
import { ZonewiseError, type ErrorContext } from '#shared/errors/zonewise-error.ts'

export const FRAME = {
  headerBytes: 4,
  prefixBytesMax: 64, // of everything before data
  dataBytesMax: 2 ** 17, // of one frame; a bigger message is cut
  bodyBytesMax: 2 ** 17 + 64
} as const

export const KIND = { request: 1, cancel: 2, answer: 3, error: 4, cancelled: 5, more: 6, ping: 7 } as const

export const FLAG = { kinds: 0x0f, payload: 0x10, begins: 0x20, extended: 0x40, reserved: 0x80 } as const
export const EXTENSION = { traced: 1, versioned: 2, reserved: 0x0c, priorityShift: 4, traceIdBytes: 16 } as const
export const CANCEL = { timedOut: 1, givenUp: 2 } as const

/** A peer that breaks the rules of frames: the stream ends. */
export function frameInvalid(message: string, context: ErrorContext = {}): ZonewiseError {
  return new ZonewiseError('FRAME_INVALID', message, context)
}
