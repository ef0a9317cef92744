import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { KIND } from '#shared/transport/frame.ts'
import type { ReaderLimits } from '#shared/transport/frame-reader.ts'
import { callerStream, newOutgoing, newReader, OF_SERVER, sample } from '#test/support/frame-samples.ts'

test('frames: each kind lies on the wire as its table says', () => {
  const { out, sent, cell } = newOutgoing()
  const head = Buffer.from('abc')
  const hex = (write: () => unknown): string => { write(); return sent().toString('hex') }
  const send = (kind: number, more: object): string => hex(() => out.send(kind, sample({ kind, slot: 300, call: 5, head, ...more }, cell), Infinity))
  assert.equal(send(KIND.request, { deadlineMs: 10_000 }), '00000801ac0205904e616263')
  assert.equal(send(KIND.request, { priority: 3, traceId: '000102030405060708090a0b0c0d0e0f' }), '00001841ac02050031000102030405060708090a0b0c0d0e0f616263')
  assert.equal(send(KIND.request, { payload: [Buffer.from('xy')] }), '00001211ac020500000000030000000201616263' + '7879')
  assert.equal(send(KIND.answer, { payload: [Buffer.from('x'), Buffer.from('y')] }), '00001213ac020000000500000002020101616263' + '7879')
  assert.equal(send(KIND.answer, {}), '00000503ac02616263')
  assert.equal(send(KIND.error, {}), '00000504ac02616263')
  assert.equal(hex(() => out.cancel(300, 1, cell)), '00000302ac0201')
  assert.equal(hex(() => out.cancelled(300, cell)), '00000205ac02')
  assert.equal(hex(() => { out.ping(); out.ping(); out.ping() }), '00000007' + '00000007') // the first was asked when something had been said
})

test('frames: a big message is cut, its first frame tells its size, others may lie between', () => {
  const { out, sent, cell } = newOutgoing()
  out.send(KIND.answer, sample({ kind: KIND.answer, slot: 1, head: Buffer.alloc(10, 1), payload: [Buffer.alloc(300_000, 2)] }, cell), Infinity)
  out.send(KIND.answer, sample({ kind: KIND.answer, slot: 2, head: Buffer.alloc(200_000, 3) }, cell), Infinity)
  const bytes = sent()
  const frames: string[] = []
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUIntBE(at, 3)) frames.push(bytes.subarray(at + 3, at + 18).toString('hex'))
  assert.deepEqual(frames, [
    '33' + '01' + '0000000a' + '000493e0' + '01' + '01010101', // begins: 10 and 300,000 bytes in one buffer
    '23' + '02' + '00030d40' + '030303030303030303',
    '06' + '01' + '02020202020202020202020202', '06' + '02' + '03030303030303030303030303', '06' + '01' + '02020202020202020202020202'
  ])
  assert.equal(cell.bytes, bytes.length)
})

test('frames: however a stream is cut, the same messages come out', () => {
  const stream = callerStream()
  const { reader, sink } = newReader()
  reader.push(stream)
  const { heard } = sink
  assert.deepEqual(heard.map((text) => text.split(' ').slice(0, 3).join(' ')), ['1 0 1', '1 130 900', '1 2 5', 'cancel 0 2', '1 5 5', '1 3 5', '1 4 5'])
  assert.equal(reader.openBytes, 0)
  const ends = [...Array.from({ length: 350 }, (_, i) => i), ...Array.from({ length: 100 }, (_, i) => stream.length - i)]
  for (let end = 1_000; end < stream.length; end += 4_099) ends.push(end)
  for (const end of ends) {
    const cut = newReader()
    for (const part of [stream.subarray(0, end), stream.subarray(end)]) {
      const slab = Buffer.from(part)
      cut.reader.push(slab)
      slab.fill(0xee) // as a socket's buffer is
    }
    assert.deepEqual(cut.sink.heard, heard, `cut at ${end}`)
  }
  for (const step of [1, 3, 64, 67, 4_096]) {
    const cut = newReader()
    for (let at = 0; at < stream.length; at += step) {
      const slab = Buffer.from(stream.subarray(at, at + step))
      cut.reader.push(slab)
      slab.fill(0xee)
    }
    assert.deepEqual(cut.sink.heard, heard, `in steps of ${step}`)
    assert.equal(cut.reader.openBytes, 0)
  }
})

test('frames: of a big message that nobody wants nothing is kept, and its room is free again', () => {
  const { reader, sink } = newReader()
  sink.unwanted.add(3)
  const stream = callerStream()
  for (let at = 0; at < stream.length; at += 1_000) {
    reader.push(Buffer.from(stream.subarray(at, at + 1_000)))
    if (at === 150_000) reader.drop(4) // in the midst of it
  }
  assert.deepEqual(sink.heard.filter((text) => /^1 [34] |^dropped/.test(text)), ['dropped 3', 'dropped 4'])
  assert.equal(reader.openBytes, 0)
  const forgotten = newReader()
  forgotten.reader.push(stream.subarray(0, 150_000))
  assert.equal(forgotten.reader.forget(3), true)
  assert.equal(forgotten.reader.forget(3), false)
  assert.equal(forgotten.reader.openBytes, 140_015)
})

const BROKEN: readonly (readonly [what: string, hex: string, limits?: Partial<ReaderLimits>])[] = [
  ['a frame above the bound', '02004101'],
  ['kind 0', '00000000'], ['kind 9', '00000009'], ['the reserved bit', '00000088'],
  ['an answer to a server', '0000010300'], ['a request to a caller', '00000401000100' + '00', { kinds: OF_SERVER }],
  ['a cancelled call at a server', '0000010500'],
  ['a ping with flags', '00000017'], ['a ping with a body', '0000010700'], ['kind 8', '00000008'],
  ['a cancel without reason', '0000010200'], ['a cancel with more', '000003020001' + '00'],
  ['an error with payload', '0000011400', { kinds: OF_SERVER }], ['an answer with an extension', '0000024300' + '00', { kinds: OF_SERVER }],
  ['a slot above the bound', '000004' + '01' + 'e807' + '01' + '00'], ['a number beyond 32 bits', '000005' + '01' + 'ffffffff1f'], ['a number without end', '000006' + '01' + 'ffffffffffff'],
  ['a request without a call', '0000010100'], ['a request without a deadline', '000002010001'], ['an unknown extension', '00000441' + '00010004'],
  ['half a trace id', '00000841' + '00010001' + '00000000'],
  ['sizes cut short', '00000511' + '000100' + '0000'], ['more head than data', '00000c11' + '000100' + '00000005' + '00000000' + '01'],
  ['less head than data', '00000e11' + '000100' + '00000000' + '00000000' + '01' + '0000'],
  ['a message above the bound', '00000b31' + '00' + '0100' + '7fffffff' + '00000000', { messageBytesMax: 1_000 }],
  ['more of nothing', '0000020600' + '00'],
  ['more than announced at once', '00000921' + '000100' + '00000001' + '0000'],
  ['more than announced later', '00000821' + '000100' + '00000002' + '00' + '00000306' + '00' + '0000'],
  ['a slot that begins twice', '00000821' + '000100' + '00000002' + '00' + '00000821' + '000100' + '00000002' + '00'],
  ['more than the window holds', '00000821' + '000100' + '00000008' + '00' + '00000821' + '010100' + '00000008' + '00', { windowBytes: 15 }],
  ['buffers longer than the payload', '00000e11' + '000100' + '00000001' + '00000001' + '02' + '05' + '00'],
  ['buffers shorter than the payload', '00001011' + '000100' + '00000002' + '00000002' + '02' + '0100' + '0000'],
  ['more buffers than lengths', '00001411' + '000100' + '00000004' + '00000002' + 'ffffffff0f' + '01010000'],
  ['payload without buffers', '00000e11' + '000100' + '00000001' + '00000001' + '00' + '05' + '00'],
  ['a cancel that is too long to be one', '000100' + '02' + '00'.repeat(256)]
]

for (const [what, hex, limits = {}] of BROKEN) {
  test(`frames: ${what} is refused, whole and byte by byte`, () => {
    const bytes = Buffer.from(hex, 'hex')
    for (const step of [bytes.length, 1]) {
      const { reader } = newReader(limits)
      assert.throws(() => { for (let at = 0; at < bytes.length; at += step) reader.push(bytes.subarray(at, at + step)) },
        (error: unknown) => error instanceof ZonewiseError && error.code === 'FRAME_INVALID')
    }
  })
}

test('frames: messages begun are no more than the window holds, and one that is bigger for itself', () => {
  const { reader, sink } = newReader({ windowBytes: 400_000 })
  const { out, sent, cell } = newOutgoing(400_000)
  for (const [slot, bytes] of [[0, 150_000], [1, 600_000], [2, 150_000], [3, 150_000], [4, 600_000], [5, 350_000]] as const) {
    out.send(KIND.request, sample({ kind: KIND.request, slot, head: Buffer.alloc(bytes) }, cell), Infinity)
  }
  reader.push(sent()) // the reader refuses what is more
  assert.deepEqual(sink.heard.map((text) => text.split(' ')[1]), ['0', '2', '3', '1', '5', '4'])
})

test('frames: a big message that is taken back is not sent', () => {
  const { out, sent, cell } = newOutgoing(200_000)
  const big = (slot: number): void => { out.send(KIND.request, sample({ kind: KIND.request, slot, head: Buffer.alloc(150_000) }, cell), Infinity) }
  big(0)
  big(1)
  assert.equal(out.takeBack(7), 'none')
  assert.equal(out.takeBack(1), 'unsent')
  assert.equal(out.takeBack(0), 'unsent')
  assert.equal(out.queuedBytes, 0)
  assert.equal(sent().length, 0)
  big(2)
  assert(sent().length > 150_000)
  assert.equal(out.takeBack(2), 'none') // all of it is gone
})
