/** The calling node of the RPC bench: loads the other process by calls, and by bare sockets for the ceiling. */
import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { newNodeNetwork } from '#cli/platform/node-network.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { newRpcDial } from '#cli/platform/rpc-dial.ts'
import { bytes, field, int32, message, type Infer } from '#shared/binary/message.ts'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import type { ClusterSnapshot } from '#shared/cluster/membership.ts'
import { StaticMembership } from '#shared/cluster/static-membership.ts'
import { Ledger, type LedgerRow } from '#shared/ledger/ledger.ts'
import { silentLog } from '#shared/log/log.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import type { Socket } from '#shared/runtime/network.ts'
import { transportSettings } from '#shared/transport/config.ts'
import { NetworkTransport } from '#shared/transport/network-transport.ts'
import { percentile } from '#cli/load/produce-load.ts'

export const HOST = '127.0.0.1'
export const BARE = { chunkBytesMax: 2 ** 20 } as const

const versions = { versions: [0, 0], flexibleSince: null } as const
const benchRequest = message('BenchRequest', versions, { number: field(int32), body: field(bytes) })
const benchAnswer = message('BenchAnswer', versions, { body: field(bytes) })
/** Answers its body and `number` bytes of payload. */
export const benchCall: RpcCall<Infer<typeof benchRequest>, Infer<typeof benchAnswer>> = {
  id: 100, name: 'bench', cause: 'plan', payloadCause: 'chunk-share', request: benchRequest, response: benchAnswer
}

export function membersOf(port: number): ClusterSnapshot {
  const common = { nodeEpoch: 1, roles: { gateway: true, broker: true }, listeners: [] }
  return { version: 1, clusterId: 'YmVuY2g', shardCount: 1, nodes: [
    { ...common, nodeId: 1, zone: 'az1' }, { ...common, nodeId: 2, zone: 'az2', rpc: { host: HOST, port } }
  ] }
}

type Ports = { readonly http: number; readonly echo: number; readonly flood: number }
type Told = { readonly cpuSeconds: number; readonly rows: readonly LedgerRow[] }

export type Measured = {
  readonly count: number
  readonly seconds: number
  readonly bytes: number // of payload
  readonly p50Ms: number
  readonly p99Ms: number
  readonly clientCpuSeconds: number
  readonly serverCpuSeconds: number
}

export class RpcBench {
  readonly transport: NetworkTransport
  readonly ledger: Ledger
  readonly #child: ChildProcess
  readonly #ports: Ports
  readonly #network = newNodeNetwork()

  private constructor(child: ChildProcess, ports: Ports) {
    this.#child = child
    this.#ports = ports
    this.ledger = new Ledger()
    this.transport = new NetworkTransport({
      info: { nodeId: 1, nodeEpoch: 1, zone: 'az1' }, membership: new StaticMembership(membersOf(ports.http)), memory: new MemoryPool(),
      ledger: this.ledger, runtime: nodeRuntime, log: silentLog, dial: newRpcDial(3_000), settings: transportSettings.defaults()
    })
  }

  static async open(execArgv: readonly string[] = []): Promise<RpcBench> {
    const child = spawn(process.execPath, [...execArgv, fileURLToPath(new URL('rpc-server.child.ts', import.meta.url))], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    return new RpcBench(child, await new Promise<Ports>((resolve) => { child.once('message', (ports) => { resolve(ports as Ports) }) }))
  }

  /** Bytes that both nodes sent to each other so far. */
  async wire(): Promise<{ readonly requestBytes: number; readonly answerBytes: number }> {
    const sum = (rows: readonly LedgerRow[]): number => rows.reduce((total, row) => total + row.bytes, 0)
    return { requestBytes: sum(this.ledger.rows()), answerBytes: sum((await this.#told()).rows) }
  }

  /** Keeps `inFlight` of `call` going for `seconds`; `call` returns the payload bytes it carried. */
  async calls(inFlight: number, seconds: number, call: () => Promise<number>): Promise<Measured> {
    const latenciesMs: number[] = []
    let bytesCount = 0
    const endMs = performance.now() + seconds * 1_000
    return this.#measure(() => latenciesMs.length, () => bytesCount, latenciesMs, async () => {
      await Promise.all(Array.from({ length: inFlight }, async () => {
        for (let startMs = performance.now(); startMs < endMs;) {
          const carried = await call()
          bytesCount += carried
          const nowMs = performance.now()
          latenciesMs.push(nowMs - startMs)
          startMs = nowMs
        }
      }))
    })
  }

  /** The same over a bare socket that echoes: messages of `size` bytes, `inFlight` of them, what arrives together is answered together. */
  async bareEcho(inFlight: number, seconds: number, size: number): Promise<Measured> {
    const latenciesMs: number[] = []
    let count = 0
    let received = 0
    const done = Promise.withResolvers<void>()
    const piece = Buffer.alloc(size * inFlight)
    const endMs = performance.now() + seconds * 1_000
    let startMs = performance.now()
    const socket: Socket = await this.#network.connect(HOST, this.#ports.echo, {
      data: (bytesIn) => {
        received += bytesIn.length
        const whole = Math.floor(received / size)
        if (whole === 0) return
        received -= whole * size
        count += whole
        const nowMs = performance.now()
        latenciesMs.push(nowMs - startMs)
        startMs = nowMs
        if (nowMs < endMs) socket.write([Buffer.from(piece.subarray(0, whole * size))])
        else done.resolve()
      },
      drain() {}, closed: () => { done.resolve() }
    })
    const measured = await this.#measure(() => count, () => 0, latenciesMs, async () => {
      startMs = performance.now()
      socket.write([piece])
      await done.promise
    })
    socket.destroy()
    return measured
  }

  /** Bytes as fast as a bare socket brings them. */
  async bareFlood(seconds: number): Promise<Measured> {
    let bytesCount = 0
    let chunks = 0
    const socket = await this.#network.connect(HOST, this.#ports.flood, {
      data: (bytesIn) => { bytesCount += bytesIn.length; chunks += 1 }, drain() {}, closed() {}
    })
    const measured = await this.#measure(() => chunks, () => bytesCount, [0], async () => {
      socket.write([Buffer.from('x')])
      await new Promise((resolve) => { setTimeout(resolve, seconds * 1_000) })
    })
    socket.destroy()
    return measured
  }

  async close(): Promise<void> {
    this.transport.close()
    const gone = new Promise((resolve) => { this.#child.once('exit', resolve) })
    this.#child.disconnect()
    await gone
  }

  async #measure(count: () => number, bytesCount: () => number, latenciesMs: number[], run: () => Promise<void>): Promise<Measured> {
    const serverBefore = (await this.#told()).cpuSeconds
    const before = process.cpuUsage()
    const startMs = performance.now()
    await run()
    const seconds = (performance.now() - startMs) / 1_000
    const { user, system } = process.cpuUsage(before)
    const serverCpuSeconds = (await this.#told()).cpuSeconds - serverBefore
    const sorted = latenciesMs.toSorted((a, b) => a - b)
    return {
      count: count(), seconds, bytes: bytesCount(), p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99),
      clientCpuSeconds: (user + system) / 1e6, serverCpuSeconds
    }
  }

  #told(): Promise<Told> {
    return new Promise((resolve) => {
      this.#child.once('message', (told) => { resolve(told as Told) })
      this.#child.send('cpu')
    })
  }
}
