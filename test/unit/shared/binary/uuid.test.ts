import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UUID_ZERO, uuidFromBytes, uuidToBytes } from '#shared/binary/uuid.ts'

test('uuid: text and bytes are two forms of one id', () => {
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => 255 - i)
  assert.equal(uuidFromBytes(bytes), '__79_Pv6-fj39vX08_Lx8A')
  assert.deepEqual([...uuidToBytes('__79_Pv6-fj39vX08_Lx8A')], [...bytes])
  assert.equal(uuidFromBytes(new Uint8Array(20).fill(9, 0, 4), 4), UUID_ZERO)
})

test('uuid: what is no uuid is refused', () => {
  for (const text of ['', 'short', `${UUID_ZERO}A`, '!!!!!!!!!!!!!!!!!!!!!!']) {
    assert.throws(() => uuidToBytes(text), { code: 'FRAME_INVALID' })
  }
  assert.throws(() => uuidFromBytes(new Uint8Array(15)), { code: 'FRAME_INVALID' })
})
