/** What every carrier of calls must do: the contract of shared/transport/transport.ts as tests. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { releaseAll, retainAll } from '#shared/binary/memory-pool.ts'
import { bytes, field, int32, message, string, type Infer } from '#shared/binary/message.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import type { RpcCall } from '#shared/rpc/call.ts'
import type { CallContext, Transport } from '#shared/transport/transport.ts'

/** Two nodes: 1 in az1 and 2 in az2. */
export type Pair = {
  readonly a: Transport
  readonly b: Transport
  /** What handlers threw that is a bug. */
  readonly bugs: unknown[]
  /** Of all nodes, ordered. */
  ledger(): readonly LedgerRow[]
  /** Lets time go by: manual or real. */
  advance(ms: number): Promise<void>
  /** Lets happen what happens without time going by. */
  settle(): Promise<void>
  /** Ends node 2 as a crash would. */
  killB(): Promise<void>
  /** Starts the next life of node 2. */
  startB(): Promise<Transport>
  close(): Promise<void>
  /** Of the pool that payload comes from. */
  heldBytes(): number
  /** Calls that the carrier remembers, at either end. */
  inFlight(): number
}

export type TransportUnderTest = {
  readonly name: string
  /** Bytes that a message in one piece takes beside its head and payload, at most. */
  readonly framingBytesMax: number
  /** How late a deadline may be heard of. */
  readonly slackMs: number
  open(): Promise<Pair>
}

const versions = { versions: [0, 0], flexibleSince: null } as const
export const ask = message('Ask', versions, { number: field(int32), body: field(bytes) })
export const answer = message('Answer', versions, { text: field(string), body: field(bytes) })
export type Ask = Infer<typeof ask>
export type Answer = Infer<typeof answer>
export const askCall: RpcCall<Ask, Answer> = { id: 900, name: 'ask', cause: 'plan', payloadCause: 'chunk-share', request: ask, response: answer }
export const NO_BYTES = new Uint8Array(0)
export const asks = (number: number): Ask => ({ number, body: NO_BYTES })
export const says = (text: string): Answer => ({ text, body: NO_BYTES })
export const withCode = (code: string) => (error: unknown): boolean => error instanceof ZonewiseError && error.code === code

/** `count` bytes that tell where they come from; not to be changed. */
export function pattern(count: number, seed: number): Buffer {
  const from = (seed * 37) % PERIOD
  while (patterns.length < from + count) patterns = Buffer.concat([patterns, patterns])
  return patterns.subarray(from, from + count)
}
const PERIOD = 65_521
let patterns = Buffer.from(Array.from({ length: PERIOD }, (_, i) => (i * 31 + (i >>> 8) * 7) & 0xff))

/** Lets things happen until `condition` holds. */
async function until({ settle }: Pair, condition: () => boolean): Promise<void> {
  for (let i = 0; i < SETTLES_MAX && !condition(); i++) await settle()
  assert(condition())
}
const SETTLES_MAX = 100

/** What a handler answers that was lent to it. */
export function heldAgain(payload: readonly Uint8Array[]): readonly Uint8Array[] {
  retainAll(payload)
  return payload
}

/** A turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

/** Rejects with the signal's reason. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const end = (): void => { reject(signal.reason as Error) }
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
}

/** A handler that never answers and tells of its signals. */
function hanging(): { readonly reasons: unknown[]; begun: number; readonly handler: (request: Ask, context: CallContext) => Promise<Answer> } {
  const made = {
    reasons: [] as unknown[], begun: 0,
    handler: (_request: Ask, { signal }: CallContext): Promise<Answer> => {
      made.begun += 1
      signal.addEventListener('abort', () => { made.reasons.push(signal.reason) })
      return new Promise(() => {})
    }
  }
  return made
}

export function transportSuite({ name, framingBytesMax, slackMs, open }: TransportUnderTest): void {
  describe(`transport (${name})`, () => {
    const it = (what: string, run: (pair: Pair) => Promise<void>): void => {
      test(`transport: ${what} (${name})`, async () => {
        const pair = await open()
        try {
          await run(pair)
        } finally {
          await pair.close()
        }
        await until(pair, () => pair.heldBytes() === 0)
      })
    }

    it('header is copied, payload rides beside, both are counted by zones and cause', async ({ a, b, ledger }) => {
      const body = new Uint8Array([1, 2, 3])
      const payload = [pattern(1_000, 1)]
      b.serve(askCall, async (request, context) => {
        assert.equal(request.number, 7)
        assert.deepEqual([...request.body], [1, 2, 3])
        assert.notEqual(request.body.buffer, body.buffer)
        assert.deepEqual([context.fromNode, context.fromZone], [1, 'az1'])
        assert.equal(context.payload.length, 1)
        assert(payload[0]!.equals(context.payload[0]!))
        return { response: says('yes'), payload: heldAgain([context.payload[0]!.subarray(0, 10)]) }
      })
      const reply = await a.call(2, askCall, { number: 7, body }, { deadlineMs: 5_000, payload })
      assert.equal(reply.response.text, 'yes')
      assert(pattern(10, 1).equals(reply.payload[0]!))
      releaseAll(reply.payload)
      const rows = ledger().filter(({ cause }) => cause !== 'stream')
      assert.deepEqual(rows.map(({ from, to, cause, requests }) => [from, to, cause, requests]), [
        ['az1', 'az2', 'chunk-share', 0], ['az1', 'az2', 'plan', 1], ['az2', 'az1', 'chunk-share', 0], ['az2', 'az1', 'plan', 0]
      ])
      const [payloadOut, headOut, payloadBack, headBack] = rows.map((row) => row.bytes)
      assert.deepEqual([payloadOut, payloadBack], [1_000, 10])
      assert(headOut! >= 4 + 4 + 3 && headOut! <= 4 + 4 + 3 + framingBytesMax, `${headOut} bytes of request`)
      assert(headBack! >= 2 + 3 + 4 && headBack! <= 2 + 3 + 4 + framingBytesMax, `${headBack} bytes of answer`)
    })

    it('calls to oneself work the same', async ({ a, ledger }) => {
      a.serve(askCall, async ({ number }) => says(String(number)))
      assert.equal((await a.call(1, askCall, asks(5), { deadlineMs: 0 })).response.text, '5')
      assert.deepEqual(ledger().map(({ from, to }) => [from, to]), [['az1', 'az1']])
    })

    it('what a handler throws arrives with code, message and context', async ({ a, b, bugs }) => {
      b.serve(askCall, ({ number }) => {
        if (number === 1) return Promise.reject(new ZonewiseError('OVERLOADED', 'too much', { limit: 3 }))
        if (number === 2) throw new ZonewiseError('NOT_LEADER', 'thrown before a promise was made')
        if (number === 3) return Promise.reject(new DOMException('stopped', 'AbortError'))
        throw new TypeError('a bug')
      })
      await assert.rejects(a.call(2, askCall, asks(1), { deadlineMs: 0 }), (error: ZonewiseError) => {
        assert.deepEqual([error.code, error.message, error.context], ['OVERLOADED', 'too much', { limit: 3 }])
        return true
      })
      await assert.rejects(a.call(2, askCall, asks(2), { deadlineMs: 0 }), withCode('NOT_LEADER'))
      await assert.rejects(a.call(2, askCall, asks(3), { deadlineMs: 0 }), withCode('RPC_UNAVAILABLE'))
      assert.equal(bugs.length, 0)
      await assert.rejects(a.call(2, askCall, asks(4), { deadlineMs: 0 }), withCode('RPC_UNAVAILABLE'))
      assert.equal(bugs.length, 1)
    })

    it('a call ends at its deadline and the handler hears of it', async (pair) => {
      const { a, b, advance } = pair
      const { handler, reasons } = hanging()
      b.serve(askCall, handler)
      const call = assert.rejects(a.call(2, askCall, asks(1), { deadlineMs: 300 }), withCode('RPC_TIMED_OUT'))
      await advance(200)
      assert.equal(reasons.length, 0)
      await advance(100 + slackMs)
      await call
      await until(pair, () => reasons.length === 1)
      assert(withCode('RPC_TIMED_OUT')(reasons[0]))
    })

    it('a caller that gives up is told its own reason, and the handler that nobody waits', async (pair) => {
      const { a, b, bugs } = pair
      const stop = new AbortController()
      const contexts: CallContext[] = []
      b.serve(askCall, (_request, context) => {
        contexts.push(context)
        return new Promise(() => {})
      })
      const call = assert.rejects(a.call(2, askCall, asks(1), { deadlineMs: 60_000, signal: stop.signal }), /enough/)
      await until(pair, () => contexts.length === 1)
      stop.abort(new Error('enough'))
      await call
      await pair.settle()
      assert.equal(contexts[0]!.signal.aborted, true) // also for one that looks late
      await assert.rejects(a.call(2, askCall, asks(1), { deadlineMs: 100, signal: stop.signal }), /enough/)
      assert.deepEqual([contexts.length, bugs.length], [1, 0])
    })

    it('deadline, priority and trace id travel', async ({ a, b }) => {
      const seen: unknown[] = []
      b.serve(askCall, async (_request, { deadlineMs, priority, traceId }) => {
        seen.push([deadlineMs > 0 && deadlineMs <= 9_000, deadlineMs === 0, priority, traceId])
        return says('')
      })
      const traceId = '0123456789abcdef0123456789abcdef'
      await a.call(2, askCall, asks(1), { deadlineMs: 9_000, priority: 3, traceId })
      await a.call(2, askCall, asks(1), { deadlineMs: Infinity })
      await a.call(2, askCall, asks(1), { deadlineMs: 0, traceId })
      assert.deepEqual(seen, [[true, false, 3, traceId], [false, true, 0, ''], [false, true, 0, traceId]])
    })

    it('a node that goes away fails calls in flight, to it and from it; its next life is called', async (pair) => {
      const { a, b, killB, startB } = pair
      const [atA, atB] = [hanging(), hanging()]
      a.serve(askCall, atA.handler)
      b.serve(askCall, atB.handler)
      const calls = Promise.all([a, b].map((from, i) => assert.rejects(from.call(2 - i, askCall, asks(1), { deadlineMs: 0 }), withCode('RPC_UNAVAILABLE'))))
      await until(pair, () => atA.begun + atB.begun === 2)
      await killB()
      await calls
      await until(pair, () => atA.reasons.length + atB.reasons.length === 2)
      await assert.rejects(a.call(2, askCall, asks(1), { deadlineMs: 0 }), withCode('RPC_UNAVAILABLE'))
      await assert.rejects(b.call(1, askCall, asks(1), { deadlineMs: 0 }), withCode('RPC_UNAVAILABLE'))
      const second = await startB()
      second.serve(askCall, async () => says('again'))
      b.close() // of the first life: must not cut off the second
      assert.equal((await a.call(2, askCall, asks(1), { deadlineMs: 0 })).response.text, 'again')
    })

    it('a call nobody serves is refused, and so is a node that nobody knows', async ({ a }) => {
      await assert.rejects(a.call(2, askCall, asks(1), { deadlineMs: 0 }), withCode('RPC_UNAVAILABLE'))
      await assert.rejects(a.call(3, askCall, asks(1), { deadlineMs: 0 }), withCode('RPC_UNAVAILABLE'))
    })

    it('calls arrive in the order they were made', async ({ a, b }) => {
      const seen: number[] = []
      b.serve(askCall, async ({ number }) => { seen.push(number); return says('') })
      const numbers = Array.from({ length: 500 }, (_, i) => i)
      await Promise.all(numbers.map((number) => a.call(2, askCall, asks(number), { deadlineMs: 5_000, payload: number % 7 === 0 ? [pattern(5_000, number)] : [] })))
      assert.deepEqual(seen, numbers)
    })

    it('heads and payloads of all sizes arrive whole, as many buffers as were sent', async ({ a, b }) => {
      b.serve(askCall, async ({ number, body }, { payload }) => ({ response: { text: String(number), body }, payload: heldAgain(payload.toReversed()) }))
      const frame = 2 ** 17 // where a carrier may begin to cut
      const cases: (readonly [head: number, payload: readonly number[]])[] = [
        [0, []], [0, [0]], [0, [0, 0, 5]], [10, [1, 2, 3, 0]], [100_000, [100_000]], [300_000, []], [0, [5_000_000]], [1_000_000, [70_000, 1, 0, 700_000]],
        ...[-9, -8, -7, -2, -1, 0, 1, 2].flatMap((more) => [[0, [frame + more]], [frame + more, []], [frame / 2, [frame / 4, frame / 4 + more]]] as const),
        [0, Array.from({ length: 300 }, (_, i) => i)]
      ]
      await Promise.all(cases.map(async ([head, lengths], number) => {
        const body = pattern(head, number)
        const payload = lengths.map((length, i) => pattern(length, number + i))
        const reply = await a.call(2, askCall, { number, body }, { deadlineMs: 20_000, payload })
        assert.equal(reply.response.text, String(number))
        assert(body.equals(reply.response.body), `head of ${head}`)
        assert.deepEqual(reply.payload.map(({ length }) => length), lengths.toReversed())
        reply.payload.toReversed().forEach((chunk, i) => { assert(payload[i]!.equals(chunk), `buffer ${i} of case ${number}`) })
        releaseAll(reply.payload)
      }))
    })

    it('payload stays as it came until it is released', async ({ a, b }) => {
      b.serve(askCall, async ({ number }, { payload }) => ({ response: says(''), payload: [pattern(number, number), ...heldAgain(payload)] }))
      const sizeOf = (round: number): number => [100, 5_000, 65_536, 700_000][round % 4]! + round
      const held: { readonly payload: readonly Uint8Array[]; readonly round: number }[] = []
      for (let round = 0; round < 40; round++) {
        const size = sizeOf(round)
        const { payload } = await a.call(2, askCall, asks(size), { deadlineMs: 20_000, payload: [pattern(size, round)] })
        held.push({ payload, round })
        if (round % 3 === 0) releaseAll(held.shift()!.payload)
      }
      for (const { payload, round } of held) {
        const [first, second] = payload
        assert(pattern(sizeOf(round), sizeOf(round)).equals(first!) && pattern(sizeOf(round), round).equals(second!))
        releaseAll(payload)
      }
    })

    it('many calls both ways, some of whose handlers call back, are all answered', async ({ a, b }) => {
      for (const [self, other] of [[a, 2], [b, 1]] as const) {
        self.serve(askCall, async ({ number, body }) => {
          if (number <= 0) return { text: 'end', body }
          const { response } = await self.call(other, askCall, { number: number - 1, body }, { deadlineMs: 20_000 })
          return { text: `${number} ${response.text}`, body: response.body }
        })
      }
      await Promise.all(Array.from({ length: 300 }, async (_, i) => {
        const body = pattern(i % 10 === 0 ? 200_000 : i, i)
        const { response } = await (i % 2 === 0 ? a : b).call(i % 2 === 0 ? 2 : 1, askCall, { number: i % 5, body }, { deadlineMs: 20_000 })
        assert.equal(response.text, [...Array.from({ length: i % 5 }, (_x, n) => i % 5 - n), 'end'].join(' '))
        assert(body.equals(response.body))
      }))
    })

    it('big calls that are given up, on their way there or back, leave nothing in the way', async (pair) => {
      const { a, b, advance } = pair
      b.serve(askCall, async ({ number }, { payload, signal }) => {
        if (number === 1) await aborted(signal)
        return { response: says(''), payload: number === 2 ? [pattern(3_000_000, 2)] : heldAgain(payload) }
      })
      for (let round = 0; round < 12; round++) {
        const stops = Array.from({ length: 6 }, () => new AbortController())
        const calls = stops.map(({ signal }, i) => a.call(2, askCall, asks(i % 3), { deadlineMs: 0, signal, payload: i % 3 === 2 ? [] : [pattern(2_000_000, i)] }))
        const given = Promise.allSettled(calls)
        if (round % 3 > 0) await advance(round % 3)
        for (const stop of stops) stop.abort(new Error('enough'))
        for (const outcome of await given) if (outcome.status === 'fulfilled') releaseAll(outcome.value.payload)
        const { payload } = await a.call(2, askCall, asks(0), { deadlineMs: 5_000, payload: [pattern(300_000, round)] })
        assert(pattern(300_000, round).equals(payload[0]!))
        releaseAll(payload)
      }
      await until(pair, () => pair.inFlight() === 0)
    })

    it('of many callers some give up at any moment, and nothing of their calls is left', async (pair) => {
      const { a, b } = pair
      b.serve(askCall, async ({ number }, { payload }) => {
        for (let turns = number % 7; turns > 0; turns--) await turn()
        return { response: says(''), payload: heldAgain(payload) }
      })
      await Promise.all(Array.from({ length: 16 }, async (_, caller) => {
        for (let i = 0; i < 40; i++) {
          const stop = new AbortController()
          const size = [0, 3_000, 200_000, 400_000][(i + caller) % 4]!
          const call = a.call(2, askCall, asks(i), { deadlineMs: 60_000, signal: stop.signal, payload: size > 0 ? [pattern(size, i)] : [] })
          const given = call.then(({ payload }) => { releaseAll(payload) }, (error: Error) => { assert.equal(error.message, 'enough') })
          if (i % 3 === 0) {
            for (let turns = i % 11; turns > 0; turns--) await turn()
            stop.abort(new Error('enough'))
          }
          await given
        }
      }))
      await until(pair, () => pair.inFlight() === 0)
    })

    it('a long poll waits while other calls come and go', async ({ a, b, advance }) => {
      const answers: ((value: Answer) => void)[] = []
      b.serve(askCall, ({ number }) => number === 1 ? new Promise((resolve) => { answers.push(resolve) }) : Promise.resolve(says('')))
      const poll = a.call(2, askCall, asks(1), { deadlineMs: 600_000 })
      for (let i = 0; i < 5; i++) {
        await advance(slackMs > 200 ? 100 : 60_000) // real time is dear
        await a.call(2, askCall, asks(0), { deadlineMs: 5_000 })
      }
      answers[0]!(says('at last'))
      assert.equal((await poll).response.text, 'at last')
    })
  })
}
