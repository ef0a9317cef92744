/** The carriers that need no network: inside a process, and frames over connections in memory, whole and cut to bits. */
import { Ledger } from '#shared/ledger/ledger.ts'
import { silentLog } from '#shared/log/log.ts'
import type { TransportSettings } from '#shared/transport/config.ts'
import { InProcessNetwork } from '#shared/transport/in-process.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'
import { TransportPair } from '#test/support/transport-pair.ts'
import { transportSuite, type TransportUnderTest } from './transport-suite.ts'

transportSuite({
  name: 'in-process', framingBytesMax: 0, slackMs: 0,
  open: async () => {
    const runtime = new ManualRuntime()
    const ledger = new Ledger()
    const bugs: unknown[] = []
    const network = new InProcessNetwork({ ledger, timer: runtime.timer, onBug: (error) => { bugs.push(error) } })
    const [a, b] = [network.attach({ nodeId: 1, zone: 'az1' }), network.attach({ nodeId: 2, zone: 'az2' })]
    return {
      a, b, bugs, ledger: () => ledger.rows(), advance: (ms) => runtime.advance(ms), settle: () => runtime.settle(),
      killB: async () => { network.detach(2) },
      startB: async () => network.attach({ nodeId: 2, zone: 'az2' }),
      close: async () => {},
      heldBytes: () => 0,
      inFlight: () => 0
    }
  }
})

function overMemory(name: string, pieceBytes: number, settings: Partial<TransportSettings> = {}): TransportUnderTest {
  return {
    name, framingBytesMax: 24, slackMs: 100,
    open: async () => {
      const pair = new TransportPair({ pieceBytes, settings, log: silentLog })
      return pair.running()
    }
  }
}

transportSuite(overMemory('frames over memory', Infinity))
transportSuite(overMemory('frames over memory, in pieces of 1,000 bytes', 1_000))
transportSuite(overMemory('frames over memory, tiny windows', 65_536, { rpcWindowBytes: 1, rpcAnswerBytesMax: 1 }))
