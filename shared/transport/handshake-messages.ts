/**
 * Handshake of a stream between two nodes, before its first frame. The dialling node speaks first.
 *
 *   message  length u16 (of the body) | kind u8 | body by the schemas below
 *   hello    1   dialler: who it is, whom it wants, which protocols it speaks, and a random nonce
 *   welcome  2   the other: who it is, the protocol chosen (the newest that both speak), its bounds, a nonce
 *   proof    3   both, the dialled node first: HMAC-SHA256 by the cluster's secret over a word for the direction and
 *                the bodies of hello and welcome; empty without a secret
 *   refusal  4   either, in place of its next message: why not; the connection ends
 *
 * Frames of the chosen protocol follow, the dialler's right behind its proof. The secret itself is never sent, a proof
 * is good for one pair of nonces and one direction only, and it covers everything that both said before. The bodies
 * are flexible messages: a later version adds tagged fields and changes nothing else.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  array, bytes, decodeMessage, encodeMessage, field, float64, int32, message, string, struct, uint16, uint32, uint8,
  type Infer, type Message
} from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'

export const HANDSHAKE = { headerBytes: 3, bodyBytesMax: 4_096, nonceBytes: 32, magic: 0x5a57_5250 } as const // "ZWRP"
export const HANDSHAKE_KIND = { hello: 1, welcome: 2, proof: 3, refusal: 4 } as const
export const AUTH = { none: 0, secret: 1 } as const

/** Protocols of frames that this version speaks. */
export const PROTOCOL = { min: 1, max: 1 } as const

const versions = { versions: [0, 0], flexibleSince: 0 } as const

export const helloMessage = message('Hello', versions, {
  magic: field(uint32), versionMin: field(uint16), versionMax: field(uint16),
  clusterId: field(string), nodeId: field(int32), nodeEpoch: field(float64), zone: field(string),
  toNode: field(int32), auth: field(uint8), nonce: field(bytes),
  windowBytes: field(uint32), // for big answers
  messageBytesMax: field(uint32) // of an answer
})
export const welcomeMessage = message('Welcome', versions, {
  version: field(uint16),
  clusterId: field(string), nodeId: field(int32), nodeEpoch: field(float64), zone: field(string),
  auth: field(uint8), nonce: field(bytes),
  windowBytes: field(uint32), // for big requests
  messageBytesMax: field(uint32), // of a request
  callsMax: field(uint32),
  // Newest version of the messages of each call that is served; calls that are not listed: 0.
  calls: field(array(struct({ id: field(uint32), versionMax: field(uint8) })))
})
export const proofMessage = message('Proof', versions, { proof: field(bytes) })
export const refusalMessage = message('Refusal', versions, { reason: field(uint8) })

export const HANDSHAKE_MESSAGES: readonly Message<unknown>[] =
  [helloMessage, welcomeMessage, proofMessage, refusalMessage]

export type Hello = Infer<typeof helloMessage>
export type Welcome = Infer<typeof welcomeMessage>

/** Why a node is refused: a number on the wire, a sentence in the log. `isPassing`: it may be let in a moment later. */
export const REFUSALS = {
  garbage: { code: 1, isPassing: false, sentence: 'it does not speak like a Zonewise node' },
  version: { code: 2, isPassing: false, sentence: 'the nodes have no protocol in common: upgrade one version at a time' },
  cluster: { code: 3, isPassing: false, sentence: 'the nodes belong to different clusters' },
  secret: { code: 4, isPassing: false, sentence: 'the nodes do not share the cluster secret: --rpc-secret must be the same' },
  insecure: { code: 5, isPassing: false, sentence: 'without a cluster secret nodes talk on one machine only: set --rpc-secret' },
  identity: { code: 6, isPassing: false, sentence: 'the address belongs to another node than was wanted' },
  epoch: { code: 7, isPassing: false, sentence: 'a newer life of the same node is known' },
  busy: { code: 8, isPassing: true, sentence: 'too many nodes are shaking hands' },
  closing: { code: 9, isPassing: true, sentence: 'the node is stopping' }
} as const

export type Refusal = keyof typeof REFUSALS

export function refusalOf(code: number): Refusal {
  const found = Object.entries(REFUSALS).find(([, row]) => row.code === code)
  return found === undefined ? 'garbage' : found[0] as Refusal
}

/** One message with its header. */
export function encodeHandshake<T>(kind: number, of: Message<T>, value: T): Uint8Array {
  const writer = new Writer()
  encodeMessage(of, of.versionMax, value, writer)
  const body = Buffer.concat(writer.finish())
  const bytesOut = Buffer.allocUnsafe(HANDSHAKE.headerBytes + body.length)
  bytesOut.writeUInt16BE(body.length, 0)
  bytesOut.writeUInt8(kind, 2)
  body.copy(bytesOut, HANDSHAKE.headerBytes)
  return bytesOut
}

/** @throws ZonewiseError FRAME_INVALID */
export function decodeHandshake<T>(of: Message<T>, body: Uint8Array): T {
  const reader = new Reader(body)
  const value = decodeMessage(of, of.versionMax, reader)
  reader.expectEnd()
  return value
}

export type Said = { readonly hello: Uint8Array; readonly welcome: Uint8Array } // bodies

/** The proof of one direction over what both said; empty without a secret. */
export function proofOf(secret: string, from: 'dialling' | 'dialled', { hello, welcome }: Said): Uint8Array {
  if (secret === '') return new Uint8Array(0)
  const hmac = createHmac('sha256', secret).update(`zonewise rpc ${from}\0`)
  return hmac.update(lengthOf(hello)).update(hello).update(welcome).digest()
}

/** Compares in a time that says nothing of where they differ. */
export function isSameProof(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

function lengthOf(body: Uint8Array): Uint8Array {
  const length = Buffer.allocUnsafe(2)
  length.writeUInt16BE(body.length, 0)
  return length
}
