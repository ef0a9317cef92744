/** Bugs of the streams between nodes: those only calls that go over sockets can show. */
import { readCall } from '#shared/rpc/read.ts'
import { CallingStream } from '#shared/transport/calling-stream.ts'
import { InFlightBytes } from '#shared/transport/in-flight-bytes.ts'
import { Peer } from '#shared/transport/peer.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { ZONES } from '../world/settings.ts'
import { patch, type Undo } from './patch.ts'

/** A caller that uses the slot of a call again as soon as it gave it up: the answer may be on its way. */
export function reuseSlots(): Undo {
  return patch(CallingStream.prototype, 'givenUp', () => function (this: CallingStream, { slot }) {
    if (this.callCount > 0) this.dropped(slot)
  })
}

/** Bytes in flight that are never given back: their bound is met for good. */
export function keepInFlight(): Undo {
  return patch(InFlightBytes.prototype, 'remove', () => () => {})
}

/** A dial that failed and is taken for one under way: calls wait for it, and nobody dials again. */
export function waitForFailed(): Undo {
  return patch(Peer.prototype, 'failed', () => () => {})
}

/** A node that asks another zone for the bytes of a chunk, where each of the first nodes is in a zone of its own. */
export function readFromAfar(inner: Transport): Transport {
  return {
    nodeId: inner.nodeId,
    serve: (call, handler) => inner.serve(call, handler),
    close: () => inner.close(),
    call: (node, call, request, options) =>
      inner.call(call.id === readCall.id ? node % ZONES.length + 1 : node, call, request, options)
  }
}
