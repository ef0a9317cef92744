/** Streams between nodes, the dialling side of rpc-upgrade.ts. */
import type { Socket as NodeSocket } from 'node:net'
import { Client } from 'undici'
import type { NodeAddress } from '#shared/cluster/membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Dial } from '#shared/transport/peer.ts'
import { type Adopter, newAdopter } from './node-network.ts'
import { RPC_UPGRADE, tune } from './rpc-upgrade.ts'

/** Opens streams to other nodes; `timeoutMs` bounds each step. The error's cause says in a sentence why one failed. */
export function newRpcDial(timeoutMs: number, adopt: Adopter = newAdopter()): Dial {
  return async (address, handlers) => {
    const client = new Client(originOf(address), { connect: { timeout: timeoutMs }, headersTimeout: timeoutMs })
    try {
      const { socket: raw } = await client.upgrade(RPC_UPGRADE)
      const socket = raw as NodeSocket
      tune(socket)
      const first = socket.read() as Buffer | null
      const adopted = adopt(socket)
      adopted.start(handlers, first ?? undefined)
      return adopted.socket
    } catch (error) {
      throw new ZonewiseError('RPC_UNAVAILABLE', 'cannot open a stream to a node', { ...address }, inWords(error))
    } finally {
      client.destroy().catch(() => {}) // the stream is no part of it any more
    }
  }
}

function originOf({ host, port }: NodeAddress): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function inWords(error: unknown): unknown {
  const isRefused = error instanceof Error && error.message === 'bad upgrade'
  return isRefused ? new Error('what answers there takes no calls of nodes (yet)', { cause: error }) : error
}
