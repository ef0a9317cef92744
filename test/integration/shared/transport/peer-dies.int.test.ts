/**
 * Goal: a peer that is stopped, killed or started again is noticed in time, by real processes over real sockets.
 * Method: node 2 runs in a process of its own that gets SIGSTOP, SIGCONT and SIGKILL.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { newRpcDial } from '#cli/platform/rpc-dial.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import type { NodeInfo } from '#shared/cluster/membership.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { silentLog } from '#shared/log/log.ts'
import { transportSettings } from '#shared/transport/config.ts'
import { NetworkTransport } from '#shared/transport/network-transport.ts'
import { askCall, asks, withCode } from '#test/conformance/transport/transport-suite.ts'

const CHILD = fileURLToPath(new URL('rpc-node.child.ts', import.meta.url))
const [TEST_CLUSTER_ID, TEST_SECRET] = ['aW50ZWdyYXRpb24', 'a secret of two processes']
const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
const children: ChildProcess[] = []
after(() => {
  clearInterval(awake)
  for (const child of children) child.kill('SIGKILL')
})

async function startNode(nodeEpoch: number): Promise<{ readonly child: ChildProcess; readonly info: NodeInfo }> {
  const env = { ...process.env, TEST_CLUSTER_ID, TEST_SECRET }
  const child = spawn(process.execPath, [CHILD, String(nodeEpoch)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env })
  children.push(child)
  const port = await new Promise<number>((resolve) => { child.once('message', (told) => { resolve(told as number) }) })
  return { child, info: { nodeId: 2, nodeEpoch, zone: 'az2', roles: { gateway: true, broker: true }, listeners: [], rpc: { host: '127.0.0.1', port } } }
}

test('rpc: a stopped peer is dead after 3 s, a killed one at once, a woken and a new one are called again', async () => {
  const { child, info } = await startNode(1)
  const membership = new StaticMembership({ version: 1, clusterId: TEST_CLUSTER_ID, shardCount: 1, nodes: [info] })
  const transport = new NetworkTransport({
    info: { nodeId: 1, nodeEpoch: 1, zone: 'az1' }, membership, memory: new MemoryPool(), ledger: new Ledger(),
    runtime: nodeRuntime, log: silentLog, dial: newRpcDial(3_000),
    settings: { ...transportSettings.defaults(), rpcSecret: TEST_SECRET }
  })
  const ask = async (number: number): Promise<string> => (await transport.call(2, askCall, asks(number), { deadlineMs: 20_000 })).response.text
  /** How long a call that never gets an answer lasts, after `strike`. */
  const lastsMs = async (strike: () => void): Promise<number> => {
    const failed = assert.rejects(ask(-1), withCode('RPC_UNAVAILABLE'))
    await ask(1) // is answered behind the other: that one is there
    const startMs = performance.now()
    strike()
    await failed
    return performance.now() - startMs
  }
  /** Asks until it is answered: a peer is tried again after a while. */
  const askAgain = async (number: number): Promise<string> => {
    for (let tries = 0; tries < 100; tries++) {
      try {
        return await ask(number)
      } catch (error) {
        if (!withCode('RPC_UNAVAILABLE')(error)) throw error
        await new Promise((resolve) => { setTimeout(resolve, 50) })
      }
    }
    throw new Error('the peer is never called again')
  }

  const stoppedMs = await lastsMs(() => { child.kill('SIGSTOP') })
  assert(stoppedMs >= 2_900 && stoppedMs < 6_000, `${stoppedMs} ms`) // 3.5 s where the machine is free
  child.kill('SIGCONT')
  assert.equal(await askAgain(2), '2')
  const killedMs = await lastsMs(() => { child.kill('SIGKILL') })
  assert(killedMs < 2_000, `${killedMs} ms`)
  const next = await startNode(2)
  membership.set({ ...membership.current(), version: 2, nodes: [next.info] })
  assert.equal(await ask(3), '3')
  transport.close()
})
