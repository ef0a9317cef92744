/** The carrier as production has it: real sockets, upgraded from HTTP, with a secret. */
import { after } from 'node:test'
import { LoopbackPair, pause } from '#test/support/loopback-pair.ts'
import { transportSuite } from './transport-suite.ts'

const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
after(() => { clearInterval(awake) })

const SETTLE_MS = 100

transportSuite({
  name: 'frames over sockets', framingBytesMax: 24, slackMs: 400,
  open: async () => {
    const pair = new LoopbackPair({ rpcSecret: 'a secret of the test, long enough' })
    const [one, two] = [await pair.start(1), await pair.start(2)]
    return {
      a: one.transport, b: two.transport, bugs: pair.bugs, ledger: () => pair.ledger.rows(), advance: pause, settle: () => pause(SETTLE_MS),
      killB: async () => {
        two.transport.close() // the operating system closes the sockets of a dead process
        await two.http.close()
        await pause(SETTLE_MS)
      },
      startB: async () => (await pair.start(2)).transport,
      close: () => pair.close(),
      heldBytes: () => pair.memory.heldBytes,
      inFlight: () => pair.inFlight()
    }
  }
})
