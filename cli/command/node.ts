/** `zonewise node list` and `zonewise node drain ID`: the nodes of a cluster, asked of any of them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { NodeRow } from '../node/cluster-nodes.ts'
import { type Arguments, timeFlag } from './arguments.ts'
import { EXIT, type Terminal } from './command.ts'
import { askNode, httpAddress } from './http-client.ts'
import { textTable } from './text-table.ts'

const LOOK_MS = 200
const TIMEOUT_MS = { default: 60_000, min: 0, max: 86_400_000 } as const

export async function nodeList(args: Arguments, terminal: Terminal): Promise<number> {
  const nodes = await askNodes(httpAddress(args, terminal))
  terminal.stdout.write(args.flags.has('json') ? `${JSON.stringify({ nodes }, null, 2)}\n` : nodesText(nodes))
  return EXIT.ok
}

export async function nodeDrain(args: Arguments, terminal: Terminal): Promise<number> {
  const address = httpAddress(args, terminal)
  const nodeId = Number(args.words[0])
  if (!Number.isSafeInteger(nodeId) || nodeId < 1) {
    throw new ZonewiseError('ARGUMENT_INVALID', 'a node id is a whole number from 1 on', { id: `"${args.words[0]}"` })
  }
  const timeoutMs = timeFlag(args, 'timeout', TIMEOUT_MS)
  if (args.flags.has('undo')) {
    await askNode(address, `/api/nodes/${nodeId}/undrain`, 'POST')
    terminal.stdout.write(`Node ${nodeId} serves again: shards and clients come back to it.\n`)
    return EXIT.ok
  }
  await askNode(address, `/api/nodes/${nodeId}/drain`, 'POST')
  terminal.stdout.write(`Node ${nodeId} drains: nothing new is placed on it.\n`)
  return untilDrained({ address, nodeId, terminal, endMs: performance.now() + timeoutMs })
}

type Draining = {
  readonly address: string; readonly nodeId: number; readonly terminal: Terminal; readonly endMs: number
}

async function untilDrained({ address, nodeId, terminal, endMs }: Draining): Promise<number> {
  for (let said = 0; ; await sleep(LOOK_MS)) {
    const nodes = await askNodes(address)
    const node = nodes.find((one) => one.nodeId === nodeId)
    if (node === undefined) {
      terminal.stdout.write(`Node ${nodeId} has left the cluster.\n`)
      return EXIT.ok
    }
    if (node.state === 'serving') {
      throw new ZonewiseError('REQUEST_REFUSED', 'the node does not drain any more', {
        nodeId, reason: 'it was started again, or somebody undid it'
      })
    }
    const left = ledBy(node)
    if (left === 0) {
      terminal.stdout.write(drainedText(node, nodes))
      return EXIT.ok
    }
    if (left !== said) terminal.stdout.write(`  ${left} ${left === 1 ? 'shard' : 'shards'} left\n`)
    said = left
    if (performance.now() > endMs) {
      const todo = 'it goes on draining: look at its log, and at zonewise node list'
      throw new ZonewiseError('CLIENT_FAILED', 'the node still leads shards', { nodeId, left, reason: todo })
    }
  }
}

function drainedText({ nodeId, zone, roles }: NodeRow, nodes: readonly NodeRow[]): string {
  const isGateway = (node: NodeRow): boolean => node.roles.includes('gateway') && node.zone === zone
  const others = nodes.filter((node) => node.nodeId !== nodeId && node.state === 'serving' && isGateway(node))
  const clients = !roles.includes('gateway') ? ''
    : others.length > 0 ? ', and its clients are told the other gateways of its zone'
      : `. ${zone} has no other gateway: its clients stay until it stops`
  return `Node ${nodeId} leads nothing any more${clients}.
Stop it when you like. Started again it serves; so it does after zonewise node drain ${nodeId} --undo.
`
}

function ledBy({ shards, leadsCatalog }: NodeRow): number {
  return shards.length + (leadsCatalog ? 1 : 0)
}

/** The nodes of the cluster that a node is of. */
export async function askNodes(address: string): Promise<readonly NodeRow[]> {
  const { nodes } = await askNode(address, '/api/nodes') as { readonly nodes?: readonly NodeRow[] }
  if (Array.isArray(nodes)) return nodes as readonly NodeRow[]
  throw new ZonewiseError('CLIENT_FAILED', 'the answer holds no nodes', { http: address })
}

/** A table, and how many there are. */
export function nodesText(nodes: readonly NodeRow[]): string {
  const head = ['node', 'zone', 'state', 'roles', 'kafka', 'http', 'shards', 'load', 'epoch', 'version']
  const rows = nodes.map((node) => [
    String(node.nodeId), node.zone, node.state, node.roles.join('+'), node.kafka.join(' ') || '-', node.http ?? '-',
    `${node.shards.length}${node.leadsCatalog ? ' + catalog' : ''}`,
    node.load === null ? '-' : `${Math.round(node.load * 100)} %`, String(node.nodeEpoch), node.version
  ])
  return `${textTable([head, ...rows], new Set([6, 7, 8]))}\n`
}
