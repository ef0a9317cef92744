/** A transport whose machine may stand still: nothing comes in and nothing goes out until it wakes. */
import type { Handler, Transport } from '#shared/transport/transport.ts'
import type { Life } from './life.ts'

export function heldTransport(inner: Transport, life: Life): Transport {
  const held = <Request, Response>(handler: Handler<Request, Response>): Handler<Request, Response> =>
    async (request, context) => {
      await life.thawed()
      try {
        return await handler(request, context)
      } finally {
        await life.thawed()
      }
    }
  return {
    nodeId: inner.nodeId,
    serve: (call, handler) => inner.serve(call, held(handler)),
    call: async (node, call, request, options) => {
      try {
        return await inner.call(node, call, request, options)
      } finally {
        await life.thawed()
      }
    },
    close: () => inner.close()
  }
}
