/**
 * The running CRC of a shard's journal: CRC-32C over the predecessor's running CRC (u32), the group's epoch and seq
 * (u64 each) and its stored bytes. A group of another history cannot continue it.
 */
import { crc32c } from '../binary/crc32c.ts'
import type { Position } from './journal.ts'

const HIGH_WORD = 2 ** 32
const head = new DataView(new ArrayBuffer(20))
const headBytes = new Uint8Array(head.buffer)

export function runningCrc(afterCrc: number, position: Position, body: readonly Uint8Array[]): number {
  head.setUint32(0, afterCrc)
  head.setUint32(4, Math.floor(position.epoch / HIGH_WORD))
  head.setUint32(8, position.epoch >>> 0)
  head.setUint32(12, Math.floor(position.seq / HIGH_WORD))
  head.setUint32(16, position.seq >>> 0)
  let crc = crc32c(headBytes)
  for (const chunk of body) crc = crc32c(chunk, crc)
  return crc
}

export const NONCE_BYTES = 16 // stored by `lead`: two takeovers at one position are told apart
