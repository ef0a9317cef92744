/** Both sides of the handshake; its messages stand in handshake-messages.ts. Pure but for the socket it writes to. */
import type { Message } from '#shared/binary/message.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Socket } from '#shared/runtime/network.ts'
import type { Chance } from '#shared/runtime/runtime.ts'
import {
  AUTH, decodeHandshake, encodeHandshake, HANDSHAKE, HANDSHAKE_KIND as KIND, type Hello, helloMessage, isSameProof,
  proofMessage, proofOf, type Refusal, refusalMessage, refusalOf, REFUSALS, type Said, type Welcome, welcomeMessage
} from './handshake-messages.ts'

/** What a node says of itself. */
export type Self = {
  readonly clusterId: string
  readonly nodeId: number
  readonly nodeEpoch: number
  readonly zone: string
  readonly secret: string // '': none
  readonly isInsecure: boolean // lets in others without a secret
  readonly protocol: { readonly min: number; readonly max: number }
  readonly windowBytes: number
  readonly messageBytesMax: number
  readonly callsMax: number
  /** Newest version of each call's messages, where it is not 0. */
  callVersions(): readonly { readonly id: number; readonly versionMax: number }[]
  readonly chance: Chance
}

/** Who has proven to be at the other end, and what it allows. */
export type PeerIdentity = {
  readonly nodeId: number
  readonly nodeEpoch: number
  readonly zone: string
  readonly protocol: number
  readonly windowBytes: number
  readonly messageBytesMax: number
  readonly callsMax: number
  readonly callVersions: ReadonlyMap<number, number>
}

export type HandshakeEnd = {
  /** `rest` came behind the handshake; it is valid during the call only. */
  proven(peer: PeerIdentity, rest: Uint8Array): void
  /** The socket is ended. `by` says who refuses; `claimed` is the node id of the other end, if it said one. */
  refused(refusal: Refusal, by: 'this' | 'peer', claimed: number | null): void
}

/** What a side does with the messages of the other. */
type Side = {
  take(kind: number, body: Uint8Array): void
  readonly claimed: number | null
}

/** Gathers messages of a handshake out of a stream of bytes, and says how it ended. */
class Channel {
  readonly #socket: Socket
  readonly #end: HandshakeEnd
  readonly #side: Side
  sentBytes = 0
  #bytes = Buffer.alloc(0)
  #over = false

  constructor(socket: Socket, end: HandshakeEnd, side: Side) {
    this.#socket = socket
    this.#end = end
    this.#side = side
  }

  data(bytes: Uint8Array): void {
    if (this.#over) return
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    while (!this.#over && this.#bytes.length >= HANDSHAKE.headerBytes) {
      const length = this.#bytes.readUInt16BE(0)
      const end = HANDSHAKE.headerBytes + length
      if (length > HANDSHAKE.bodyBytesMax) return this.refuse('garbage')
      if (this.#bytes.length < end) break
      const kind = this.#bytes[2]!
      const body = this.#bytes.subarray(HANDSHAKE.headerBytes, end)
      this.#bytes = this.#bytes.subarray(end)
      this.#take(kind, body)
    }
  }

  /** Says no, unless the handshake is over already. */
  refuse(refusal: Refusal): void {
    if (this.#over) return
    this.send(KIND.refusal, refusalMessage, { reason: REFUSALS[refusal].code })
    this.#refused(refusal, 'this')
  }

  /** @returns the body sent. */
  send<T>(kind: number, of: Message<T>, value: T): Uint8Array {
    const message = encodeHandshake(kind, of, value)
    this.#socket.write([message])
    this.sentBytes += message.length
    return message.subarray(HANDSHAKE.headerBytes)
  }

  proven(peer: PeerIdentity): void {
    this.#over = true
    this.#end.proven(peer, this.#bytes)
  }

  #take(kind: number, body: Uint8Array): void {
    try {
      if (kind === KIND.refusal) this.#refused(refusalOf(decodeHandshake(refusalMessage, body).reason), 'peer')
      else this.#side.take(kind, body)
    } catch (error) {
      if (!(error instanceof ZonewiseError) || error.code !== 'FRAME_INVALID') throw error
      this.refuse('garbage')
    }
  }

  #refused(refusal: Refusal, by: 'this' | 'peer'): void {
    this.#over = true
    this.#socket.end()
    this.#end.refused(refusal, by, this.#side.claimed)
  }
}

function isSound({ nonce, nodeEpoch }: Pick<Hello, 'nonce' | 'nodeEpoch'>): boolean {
  return nonce.length === HANDSHAKE.nonceBytes && Number.isSafeInteger(nodeEpoch) && nodeEpoch >= 0
}

function authOf(secret: string): number {
  return secret === '' ? AUTH.none : AUTH.secret
}

/** Whether a connection may go without a secret. */
function mayBeOpen({ isInsecure }: Self, { remoteAddress }: Socket): boolean {
  return isInsecure || remoteAddress.startsWith('127.') || remoteAddress === '::1'
}

export type DiallingWant = {
  readonly nodeId: number
  /** The newest life of the wanted node that is known. */
  epochMin(): number
}

export class DiallingHandshake implements Side {
  readonly #self: Self
  readonly #socket: Socket
  readonly #channel: Channel
  readonly #want: DiallingWant
  #said: Said = { hello: new Uint8Array(0), welcome: new Uint8Array(0) }
  #peer: PeerIdentity | null = null // welcomed us, and proves itself next

  constructor(self: Self, socket: Socket, end: HandshakeEnd, want: DiallingWant) {
    this.#self = self
    this.#socket = socket
    this.#channel = new Channel(socket, end, this)
    this.#want = want
  }

  get claimed(): number {
    return this.#want.nodeId
  }

  get sentBytes(): number {
    return this.#channel.sentBytes
  }

  start(): void {
    const { clusterId, nodeId, nodeEpoch, zone, secret, protocol, windowBytes, messageBytesMax, chance } = this.#self
    if (secret === '' && !mayBeOpen(this.#self, this.#socket)) return this.#channel.refuse('insecure')
    const hello = this.#channel.send(KIND.hello, helloMessage, {
      magic: HANDSHAKE.magic, versionMin: protocol.min, versionMax: protocol.max,
      clusterId, nodeId, nodeEpoch, zone, toNode: this.#want.nodeId,
      auth: authOf(secret), nonce: chance.bytes(HANDSHAKE.nonceBytes), windowBytes, messageBytesMax
    })
    this.#said = { ...this.#said, hello }
  }

  data(bytes: Uint8Array): void {
    this.#channel.data(bytes)
  }

  take(kind: number, body: Uint8Array): void {
    const peer = this.#peer
    if (kind === KIND.welcome && peer === null) this.#welcomed(decodeHandshake(welcomeMessage, body), body)
    else if (kind === KIND.proof && peer !== null) this.#check(decodeHandshake(proofMessage, body).proof, peer)
    else this.#channel.refuse('garbage')
  }

  #welcomed(welcome: Welcome, body: Uint8Array): void {
    const { clusterId, secret, protocol } = this.#self
    const { version, nodeId, nodeEpoch, zone, windowBytes, messageBytesMax, callsMax, calls } = welcome
    const channel = this.#channel
    if (!isSound(welcome)) return channel.refuse('garbage')
    if (version < protocol.min || version > protocol.max) return channel.refuse('version')
    if (welcome.clusterId !== clusterId) return channel.refuse('cluster')
    if (welcome.auth !== authOf(secret)) return channel.refuse('secret')
    if (nodeId !== this.#want.nodeId) return channel.refuse('identity')
    this.#said = { ...this.#said, welcome: Buffer.from(body) }
    const callVersions = new Map(calls.map(({ id, versionMax }) => [id, versionMax]))
    this.#peer = { nodeId, nodeEpoch, zone, protocol: version, windowBytes, messageBytesMax, callsMax, callVersions }
  }

  #check(proof: Uint8Array, peer: PeerIdentity): void {
    const { secret } = this.#self
    const channel = this.#channel
    if (!isSameProof(proof, proofOf(secret, 'dialled', this.#said))) return channel.refuse('secret')
    if (peer.nodeEpoch < this.#want.epochMin()) return channel.refuse('epoch')
    channel.send(KIND.proof, proofMessage, { proof: proofOf(secret, 'dialling', this.#said) })
    channel.proven(peer)
  }
}

export class DialledHandshake implements Side {
  readonly #self: Self
  readonly #socket: Socket
  readonly #channel: Channel
  readonly #epochMin: (nodeId: number) => number
  #said: Said = { hello: new Uint8Array(0), welcome: new Uint8Array(0) }
  #peer: PeerIdentity | null = null
  #claimed: number | null = null

  /** `epochMin` is the newest life of a node that is known. */
  constructor(self: Self, socket: Socket, end: HandshakeEnd, epochMin: (nodeId: number) => number) {
    this.#self = self
    this.#socket = socket
    this.#channel = new Channel(socket, end, this)
    this.#epochMin = epochMin
  }

  get claimed(): number | null {
    return this.#claimed
  }

  get sentBytes(): number {
    return this.#channel.sentBytes
  }

  data(bytes: Uint8Array): void {
    this.#channel.data(bytes)
  }

  refuse(refusal: Refusal): void {
    this.#channel.refuse(refusal)
  }

  take(kind: number, body: Uint8Array): void {
    const peer = this.#peer
    if (kind === KIND.hello && peer === null) this.#greeted(decodeHandshake(helloMessage, body), body)
    else if (kind === KIND.proof && peer !== null) this.#check(decodeHandshake(proofMessage, body).proof, peer)
    else this.#channel.refuse('garbage')
  }

  #greeted(hello: Hello, body: Uint8Array): void {
    const { clusterId, nodeId, nodeEpoch, zone, secret, protocol, windowBytes, messageBytesMax, callsMax, chance } =
      this.#self
    const channel = this.#channel
    const version = Math.min(protocol.max, hello.versionMax)
    const refusal = this.#refusalOf(hello, version)
    if (refusal !== null) return channel.refuse(refusal)
    this.#peer = {
      nodeId: hello.nodeId, nodeEpoch: hello.nodeEpoch, zone: hello.zone, protocol: version,
      windowBytes: hello.windowBytes, messageBytesMax: hello.messageBytesMax, callsMax, callVersions: new Map()
    }
    const welcome = channel.send(KIND.welcome, welcomeMessage, {
      version, clusterId, nodeId, nodeEpoch, zone, auth: authOf(secret), nonce: chance.bytes(HANDSHAKE.nonceBytes),
      windowBytes, messageBytesMax, callsMax, calls: this.#self.callVersions()
    })
    this.#said = { hello: Buffer.from(body), welcome }
    channel.send(KIND.proof, proofMessage, { proof: proofOf(secret, 'dialled', this.#said) })
  }

  #refusalOf(hello: Hello, version: number): Refusal | null {
    const { clusterId, nodeId, secret, protocol } = this.#self
    if (hello.magic !== HANDSHAKE.magic || !isSound(hello)) return 'garbage'
    this.#claimed = hello.nodeId
    if (version < protocol.min || version < hello.versionMin) return 'version'
    if (hello.clusterId !== clusterId) return 'cluster'
    if (hello.auth !== authOf(secret)) return 'secret'
    if (secret === '' && !mayBeOpen(this.#self, this.#socket)) return 'insecure'
    if (hello.toNode !== nodeId || hello.nodeId === nodeId) return 'identity'
    return hello.nodeEpoch < this.#epochMin(hello.nodeId) ? 'epoch' : null
  }

  #check(proof: Uint8Array, peer: PeerIdentity): void {
    const isProven = isSameProof(proof, proofOf(this.#self.secret, 'dialling', this.#said))
    if (isProven) this.#channel.proven(peer)
    else this.#channel.refuse('secret')
  }
}
