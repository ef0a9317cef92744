import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import {
  bool, choice, defineSettings, deprecatedUses, int, NO_SOURCES, refuseUnknown, settingText, text, unknownEnv,
  type SettingSources
} from '#shared/config/settings.ts'

const table = defineSettings('GATEWAY', {
  walLingerMs: int({ unit: 'ms', default: 5, min: 0, max: 1_000, doc: 'Longest wait.' }),
  groupBytesMax: int({ unit: 'bytes', default: 8 * 2 ** 20, min: 1, max: 2 ** 30, doc: 'Full.' }),
  mode: choice({ choices: ['slow', 'fast'], default: 'fast', doc: 'How.' }),
  loud: bool({ default: false, doc: 'Noise.' }),
  graceMs: int(
    { unit: 'ms', default: 1_000, min: 0, max: 86_400_000, doc: 'Wait.', deprecated: 'use --wal-linger-ms' }
  ),
  name: text({ default: 'zw', doc: 'Name.' })
}, (values) => values.walLingerMs !== 13 || 'walLingerMs must not be 13')

const from = (
  sources: { flags?: [string, string][]; env?: Record<string, string>; file?: Record<string, unknown> }
): SettingSources =>
  ({ flags: new Map(sources.flags ?? []), env: sources.env ?? {}, file: sources.file ?? {} })

function refused(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    assert(error instanceof ZonewiseError)
    assert.equal(error.code, 'SETTING_INVALID')
    return JSON.stringify(error.context)
  }
  return assert.fail('was accepted')
}

test('settings: a flag beats the environment, which beats the file, which beats the default', () => {
  const env = { ZONEWISE_GATEWAY_WAL_LINGER_MS: '7' }
  const file = { walLingerMs: 8 }
  assert.equal(table.load(from({ flags: [['wal-linger-ms', '6']], env, file })).walLingerMs, 6)
  assert.equal(table.load(from({ env, file })).walLingerMs, 7)
  assert.equal(table.load(from({ file })).walLingerMs, 8)
  assert.equal(table.defaults().walLingerMs, 5)
})

test('settings: values are typed and frozen', () => {
  const values =
    table.load(from({ flags: [['loud', ''], ['mode', 'slow'], ['group-bytes-max', '2MiB'], ['grace-ms', '2m']] }))
  const loud: boolean = values.loud
  const mode: 'slow' | 'fast' = values.mode
  assert.deepEqual([loud, mode, values.groupBytesMax, values.graceMs], [true, 'slow', 2 * 2 ** 20, 120_000])
  assert(Object.isFrozen(values))
})

test('settings: a value out of range is refused with its source, itself and the range', () => {
  assert.match(
    refused(() => table.load(from({ flags: [['wal-linger-ms', '1001']] }))), /--wal-linger-ms.*1001.*0ms to 1s/
  )
  assert.match(
    refused(() => table.load(from({ env: { ZONEWISE_GATEWAY_MODE: 'odd' } }))), /ZONEWISE_GATEWAY_MODE.*odd.*slow, fast/
  )
  assert.match(refused(() => table.load(from({ file: { walLingerMs: '5.5' } }))), /walLingerMs in the config file/)
  assert.match(refused(() => table.load(from({ file: { name: '' } }))), /1 to 4096 characters/)
  assert.match(refused(() => table.load(from({ flags: [['wal-linger-ms', '13']] }))), /must not be 13/)
})

test('settings: a setting without a default must be given', () => {
  const required = defineSettings('GATEWAY', { bucket: text({ doc: 'Bucket.' }) })
  assert.match(refused(() => required.defaults()), /--bucket/)
})

test('settings: a flag or file key that no table knows is refused', () => {
  const others = new Set(['data'])
  refuseUnknown([table], from({ flags: [['data', 'x'], ['loud', '']], file: { mode: 'slow' } }), others)
  assert.match(refused(() => refuseUnknown([table], from({ flags: [['wal-linger', '1']] }), others)), /--wal-linger/)
  assert.match(refused(() => refuseUnknown([table], from({ file: { wal: 1 } }), others)), /wal in the config file/)
})

test('settings: a variable that only looks like a setting is named', () => {
  const env = { PATH: '/', ZONEWISE_HTTP: 'h', ZONEWISE_GATEWAY_PORT: 'tcp://', ZONEWISE_GATEWAY_MODE: 'slow' }
  assert.deepEqual(unknownEnv([table], env), ['ZONEWISE_GATEWAY_PORT'])
})

test('settings: the use of a deprecated row is named', () => {
  assert.deepEqual(deprecatedUses([table], NO_SOURCES), [])
  assert.deepEqual(
    deprecatedUses([table], from({ file: { graceMs: 1 } })), ['--grace-ms is deprecated: use --wal-linger-ms']
  )
})

test('settings: a value is written as it can be read again', () => {
  const bytes = int({ unit: 'bytes', min: 0, max: 2 ** 50, doc: '' })
  const ms = int({ unit: 'ms', min: -1, max: 2 ** 50, doc: '' })
  for (
    const [text, value] of [
      ['0B', 0], ['1B', 1], ['1000B', 1_000], ['48MiB', 48 * 2 ** 20], ['3TiB', 3 * 2 ** 40]
    ] as const
  ) {
    assert.equal(settingText(value, 'bytes'), text)
    assert.equal(bytes.read(text), value)
  }
  for (
    const [text, value] of [
      ['0ms', 0], ['250ms', 250], ['90s', 90_000], ['2m', 120_000], ['7d', 604_800_000], ['-1ms', -1]
    ] as const
  ) {
    assert.equal(settingText(value, 'ms'), text)
    assert.equal(ms.read(text), value)
  }
  assert.deepEqual([settingText(5, null), settingText(true, null), settingText('a b', null)], ['5', 'true', 'a b'])
  assert.equal(int({ min: 0, max: 10, doc: '' }).read('1s'), undefined)
})
