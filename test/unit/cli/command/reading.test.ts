/**
 * Goal: `zonewise consume` writes each record once and in order, whatever becomes of its connections.
 * Method: a made-up consumer, whose events and batches the test gives out.
 */
import assert from 'node:assert/strict'
import { PassThrough, Writable } from 'node:stream'
import { test } from 'node:test'
import type { Consumer, EachBatchPayload } from 'kafkajs'
import { type Plan, type Reach, Reading } from '#cli/command/reading.ts'
import type { Terminal } from '#cli/command/command.ts'

const PLAN: Plan = {
  topic: 't', fromBeginning: false, messagesMax: Infinity, groupId: 'g', ownGroup: true, partition: null,
  exitAtEnd: false,
  keySeparator: null
}

type Handler = (event: { readonly payload: unknown }) => void

class FakeConsumer {
  readonly events = { GROUP_JOIN: 'join', CRASH: 'crash' }
  readonly seeks: [number, string][] = []
  readonly commits: string[] = []
  readonly #handlers = new Map<string, Handler>()
  #eachBatch: (payload: EachBatchPayload) => Promise<void> = async () => {}

  on(event: string, handler: Handler): void {
    this.#handlers.set(event, handler)
  }

  async subscribe(): Promise<void> {}

  async run({ eachBatch }: { readonly eachBatch: (payload: EachBatchPayload) => Promise<void> }): Promise<void> {
    this.#eachBatch = eachBatch
  }

  seek({ partition, offset }: { readonly partition: number; readonly offset: string }): void {
    this.seeks.push([partition, offset])
  }

  async commitOffsets([commit]: readonly { readonly offset: string }[]): Promise<void> {
    this.commits.push(commit!.offset)
  }

  emit(event: string, payload: unknown = {}): void {
    this.#handlers.get(event)!({ payload })
  }

  give(partition: number, first: number, values: readonly string[]): Promise<void> {
    const messages = values.map((value, i) => ({ offset: String(first + i), key: null, value: Buffer.from(value) }))
    const batch = { topic: 't', partition, messages, lastOffset: () => String(first + values.length - 1) }
    const payload = { batch, heartbeat: async () => {}, isRunning: () => true, isStale: () => false }
    return this.#eachBatch(payload as unknown as EachBatchPayload)
  }
}

function reading(plan: Partial<Plan>, reach: Reach) {
  const texts = { out: '', errors: '' }
  const into = (name: keyof typeof texts): Writable =>
    new Writable({ write: (bytes: Buffer, _encoding, done) => { texts[name] += bytes.toString(); done() } })
  let signal = (): void => {}
  const terminal: Terminal = {
    stdin: new PassThrough(), stdout: into('out'), stderr: into('errors'), env: {}, onOutputClosed: () => {},
    exit: () => assert.fail('exit'),
    onSignal: (fn) => { signal = () => { fn('SIGINT') }; return () => {} }
  }
  const consumer = new FakeConsumer()
  const code = new Reading(consumer as unknown as Consumer, { ...PLAN, ...plan }, reach, terminal).run()
  return { consumer, code, signal: () => { signal() }, out: () => texts.out, errors: () => texts.errors }
}

const ready = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

test('consume: goes on where it was when the cluster comes back, and says both once', async () => {
  const { consumer, code, signal, out, errors } = reading({}, { positions: new Map([[0, 5], [1, 7]]), ends: null })
  await ready()
  consumer.emit('join')
  assert.deepEqual(consumer.seeks.splice(0), [[0, '5'], [1, '7']])
  await consumer.give(0, 5, ['a', 'b'])
  for (let i = 0; i < 2; i++) consumer.emit('crash', { error: new Error('closed'), restart: true })
  consumer.emit('join')
  assert.deepEqual(consumer.seeks, [[0, '7'], [1, '7']])
  assert.equal(errors(), 'zonewise: closed Trying again.\nzonewise: the cluster is back, reading on\n')
  await consumer.give(0, 7, ['c'])
  assert.equal(out(), 'a\nb\nc\n')
  assert.deepEqual(consumer.commits, [])
  signal()
  assert.equal(await code, 130)
})

test('consume: a named group commits what was written and is not told where to begin', async () => {
  const reach = { positions: new Map([[0, 0], [1, 0]]), ends: new Map([[0, 2], [1, 1]]) }
  const { consumer, code, out } = reading({ ownGroup: false, exitAtEnd: true }, reach)
  await ready()
  consumer.emit('join')
  await consumer.give(0, 0, ['a', 'b', 'c'])
  await consumer.give(1, 0, ['d'])
  assert.equal(await code, 0)
  assert.equal(out(), 'a\nb\nc\nd\n')
  assert.deepEqual([consumer.seeks, consumer.commits], [[], ['3', '1']])
})

test('consume: stops inside a batch at its bound, and fails where the consumer fails for good', async () => {
  const bounded = reading({ messagesMax: 2, ownGroup: false }, { positions: new Map(), ends: null })
  await ready()
  await bounded.consumer.give(0, 10, ['a', 'b', 'c'])
  assert.equal(await bounded.code, 0)
  assert.equal(bounded.out(), 'a\nb\n')
  assert.deepEqual(bounded.consumer.commits, ['12'])
  const failing = reading({}, { positions: new Map(), ends: null })
  await ready()
  failing.consumer.emit('crash', { error: new Error('no'), restart: false })
  await assert.rejects(failing.code, /no/)
})
