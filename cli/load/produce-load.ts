/** Producers that keep requests in flight, or send at a rate, and what was acknowledged. */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { kafkaErrorName } from '#shared/wire/error-codes.ts'
import type { LoadClient } from './raw-client.ts'

const TURN_MS = 5
const WAIT_MS_MAX = 30_000

export type ProduceOptions = {
  readonly clients: readonly LoadClient[]
  readonly frames: readonly Buffer[] // sent in turn by every client, beginning at its own number
  readonly payloadBytes: number // of one frame
  readonly inFlight: number // requests of one client
  readonly seconds: number
  readonly bytesPerSecond?: number // none: as fast as answers come
  /** Of the first partition of a frame, and when it was sent. */
  readonly onAck?: (frame: number, baseOffset: number, sentMs: number) => void
  readonly signal?: AbortSignal // ends it before its time
}

export type ProduceResult = {
  readonly seconds: number // until the last answer
  readonly requests: number
  readonly bytes: number
  readonly errors: Readonly<Record<string, number>>
  readonly latenciesMs: readonly number[] // ascending
}

export async function produce(options: ProduceOptions): Promise<ProduceResult> {
  const { clients, frames, payloadBytes, inFlight, seconds, bytesPerSecond = Infinity, onAck, signal } = options
  const errors: Record<string, number> = {}
  const latenciesMs: number[] = []
  const next = clients.map((_, i) => i)
  let requests = 0
  let sent = 0
  let lastMs = 0
  const startMs = performance.now()
  let endMs = startMs + seconds * 1_000
  const allowed = (): number =>
    bytesPerSecond === Infinity ? Infinity : (performance.now() - startMs) / 1_000 * bytesPerSecond / payloadBytes
  const fill = (client: LoadClient, i: number): void => {
    while (client.isOpen && client.inFlight < inFlight && sent < allowed() && performance.now() < endMs) {
      const frame = next[i]! % frames.length
      next[i]! += 1
      sent += 1
      const sentMs = performance.now()
      client.send(frames[frame]!, (head) => {
        lastMs = performance.now()
        latenciesMs.push(lastMs - sentMs)
        const { errorCode, baseOffset } = firstAnswer(head)
        const name = kafkaErrorName(errorCode) ?? String(errorCode)
        if (errorCode !== 0) errors[name] = (errors[name] ?? 0) + 1
        else {
          requests += 1
          onAck?.(frame, baseOffset, sentMs)
        }
        if (bytesPerSecond === Infinity) fill(client, i)
      })
    }
  }
  const fillAll = (): void => {
    if (!clients.some(({ isOpen }) => isOpen)) sent = Math.max(sent, Math.floor(allowed())) // nothing is made up for
    clients.forEach(fill)
  }
  fillAll()
  const turn = setInterval(fillAll, TURN_MS)
  await new Promise<void>((resolve) => {
    setTimeout(resolve, seconds * 1_000)
    signal?.addEventListener('abort', () => { resolve() })
  })
  endMs = Math.min(endMs, performance.now())
  clearInterval(turn)
  while (clients.some((client) => client.inFlight > 0)) {
    if (performance.now() > endMs + WAIT_MS_MAX) {
      throw new ZonewiseError('CLIENT_FAILED', 'answers are missing', { waitedMs: WAIT_MS_MAX })
    }
    await new Promise((resolve) => { setTimeout(resolve, TURN_MS) })
  }
  latenciesMs.sort((a, b) => a - b)
  return { seconds: (lastMs - startMs) / 1_000, requests, bytes: requests * payloadBytes, errors, latenciesMs }
}

/**
 * Of a Produce answer, version 9: correlation id, tags, topics + 1, name, partitions + 1, index, error code, offset.
 */
function firstAnswer(head: Buffer): { readonly errorCode: number; readonly baseOffset: number } {
  let at = 4 + 1 + 1
  at += head[at]! // a compact string's first byte is its length + 1
  while (head[at]! >= 0x80) at += 1 // a count of partitions may take more than one byte
  at += 1 + 4
  return { errorCode: head.readInt16BE(at), baseOffset: Number(head.readBigInt64BE(at + 2)) }
}

export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? NaN
}
