import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FlagSpec, parseArguments, splitHostPort, wholeFlag } from '#cli/command/arguments.ts'

const SPECS: readonly FlagSpec[] = [
  { flag: 'max', value: 'N', doc: '' }, { flag: 'quick', value: null, doc: '' },
  { flag: 'add', value: 'X', many: true, doc: '' },
  { flag: 'help', value: null, doc: '' }
]

test('arguments: flags, lists and words are told apart', () => {
  const { flags, lists, words } =
    parseArguments(['a', '--max', '-3', '--quick', 'b', '--add=x=1', '--add', 'y', '--', '--max'], SPECS)
  assert.deepEqual([...flags], [['max', '-3'], ['quick', '']])
  assert.deepEqual([...lists], [['add', ['x=1', 'y']]])
  assert.deepEqual(words, ['a', 'b', '--max'])
  assert(parseArguments(['-h'], SPECS).flags.has('help'))
})

test('arguments: an unknown flag and a missing value are refused', () => {
  for (const argv of [['--nope'], ['-x'], ['-max', '1'], ['--max'], ['--max', '--quick']]) {
    assert.throws(() => parseArguments(argv, SPECS), { code: 'ARGUMENT_INVALID' }, argv.join(' '))
  }
})

test('arguments: a whole number is checked', () => {
  const of = (text: string): number | null =>
    wholeFlag(parseArguments(['--max', text], SPECS), 'max', { min: 0, max: 10 })
  assert.equal(of('10'), 10)
  for (const text of ['11', '-1', '1.5', '', 'x', '1e1']) {
    assert.throws(() => of(text), { code: 'ARGUMENT_INVALID' }, text)
  }
  assert.equal(wholeFlag(parseArguments([], SPECS), 'max', { min: 0, max: 10 }), null)
})

test('arguments: host and port', () => {
  assert.deepEqual(splitHostPort('localhost:9092'), { host: 'localhost', port: 9092 })
  assert.deepEqual(splitHostPort('[::1]:0'), { host: '::1', port: 0 })
  for (const text of ['localhost', ':1', 'a:b', 'a:65536', 'a:1:2', '::1:9092']) {
    assert.equal(splitHostPort(text), null, text)
  }
})
