import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textLine } from '#cli/platform/pino-log.ts'

const time = Date.UTC(2026, 0, 2, 12, 30, 5, 123)

test('pino-log: a line for people has clock, level, message and facts', () => {
  assert.equal(textLine({ level: 30, time, msg: 'shard leads', shard: 3, zone: 'local-az1' }),
    '12:30:05.123 info  shard leads  shard=3 zone=local-az1\n')
  assert.equal(
    textLine({ level: 40, time, msg: 'slow', key: 'a b', list: [1] }), '12:30:05.123 WARN  slow  key="a b" list=[1]\n'
  )
  assert.equal(textLine({ level: 50, time, msg: 'stopped' }), '12:30:05.123 ERROR stopped\n')
})

test('pino-log: an operating error is one line, a bug keeps its stack', () => {
  const error = {
    type: 'ZonewiseError', message: 'put not confirmed', stack: 'at a\nat b', code: 'STORE_UNAVAILABLE',
    context: { key: 'k' }
  }
  assert.equal(textLine({ level: 40, time, msg: 'retried', error }),
    `12:30:05.123 WARN  retried  error=${JSON.stringify('STORE_UNAVAILABLE: put not confirmed {"key":"k"}')}\n`)
  assert.match(
    textLine({ level: 50, time, msg: 'bug', error: { message: 'x', stack: 'Error: x\n    at y' } }),
    /error=Error: x\n {4}at y/
  )
})
