/** How an error travels in place of an answer: JSON of code, message and context. */
import { ERROR_CODES, type ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError, type ErrorContext } from '#shared/errors/zonewise-error.ts'

const SHOWN_CHARS_MAX = 200

export function encodeError({ code, message, context }: ZonewiseError): Uint8Array {
  return Buffer.from(JSON.stringify({ code, message, context }))
}

/** A code that this version does not know (a newer peer) becomes RPC_UNAVAILABLE: the outcome is unknown. */
export function decodeError(bytes: Uint8Array): ZonewiseError {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
  const { code, message, context } = parse(text)
  if (Object.hasOwn(ERROR_CODES, code)) return new ZonewiseError(code as ErrorCode, message, context)
  return new ZonewiseError('RPC_UNAVAILABLE', 'peer failed with an unknown code', { ...context, code, message })
}

type Carried = { readonly code: string; readonly message: string; readonly context: ErrorContext }

function parse(text: string): Carried {
  try {
    const { code, message, context } = JSON.parse(text) as Record<keyof Carried, unknown>
    if (typeof code === 'string' && typeof message === 'string' && typeof context === 'object' && context !== null)
      return { code, message, context: context as ErrorContext }
  } catch { // below
  }
  return { code: 'unreadable', message: text.slice(0, SHOWN_CHARS_MAX), context: {} }
}
