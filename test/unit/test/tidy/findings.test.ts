import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findings } from '#test/tidy/findings.ts'
import { LINE_COLUMNS_MAX, WRAP_YET } from '#test/tidy/rules.ts'
import { importsOf, type SourceFile } from '#test/tidy/source-files.ts'

function file(path: string, text: string): SourceFile {
  return { path, lines: text.split('\n'), imports: importsOf(path, text) }
}

function whats(...files: readonly SourceFile[]): string[] {
  const entry = file('cli/main.ts', files.map(({ path }) => `import '#${path}'`).join('\n'))
  return findings([entry, ...files]).map(({ path, line, what }) => `${path}:${line}: ${what}`)
}

test('tidy: gateway and broker do not meet, and lower layers do not know higher ones', () => {
  assert.deepEqual(whats(file('gateway/a.ts', "import { b } from '#broker/b.ts'"), file('broker/b.ts', '')),
    ['gateway/a.ts:1: gateway may not import broker (broker/b.ts)'])
  const codec = file('shared/wire/a.ts', "import { b } from '#shared/store/b.ts'")
  assert.deepEqual(whats(codec, file('shared/store/b.ts', '')),
    ['shared/wire/a.ts:1: formats may not import seams (shared/store/b.ts)'])
})

test('tidy: what is banned is named with its replacement', () => {
  assert.deepEqual(
    whats(file('broker/a.ts', 'const x = 1\nconst now = Date.now()')), ['broker/a.ts:2: use runtime.clock.nowMs()']
  )
  assert.deepEqual(whats(file('broker/a.ts', '// Date.now() is banned')), [])
  assert.deepEqual(whats(file('broker/x-state.ts', 'async function f() {}')), [
    'broker/x-state.ts:1: a pure file has no async: the driver awaits'
  ])
  assert.deepEqual(
    whats(file('gateway/a.ts', `const x = y as ${'any'}`)), ['gateway/a.ts:1: give it a type, or unknown']
  )
})

test('tidy: circles, dead files, packages and long lines are found', () => {
  const circle =
    whats(file('broker/a.ts', "import { b } from './b.ts'"), file('broker/b.ts', "import { a } from './a.ts'"))
  assert.deepEqual(circle, ['broker/a.ts:1: imports in a circle: broker/a.ts -> broker/b.ts -> broker/a.ts'])
  assert.deepEqual(
    whats(file('broker/a.ts', "import type { B } from './b.ts'"), file('broker/b.ts', "import { a } from './a.ts'")), []
  )
  assert.deepEqual(findings([file('broker/a.ts', '')]).map(({ what }) => what), ['nothing imports this file'])
  assert.match(whats(file('broker/a.ts', "import pino from 'pino'"))[0]!, /may be named in cli\/platform/)
  assert.match(whats(file('broker/a.ts', 'x'.repeat(201)))[0]!, /201 columns/)
})

test('tidy: a line is no longer than it should be, unless only data makes it so', () => {
  const long = (before: string): string => `${before}'${'x'.repeat(LINE_COLUMNS_MAX)}'`
  assert.deepEqual(
    whats(file('broker/a.ts', `const a = 1\n${long('const b = ')}`)), ['broker/a.ts:2: 132 columns, more than 120']
  )
  for (const [path, start] of [['gateway/config.ts', '  doc: '], ['broker/shard/metrics.ts', '  help: ']] as const) {
    assert.deepEqual(whats(file(path, long(start))), [], path)
  }
  const excused = [...WRAP_YET].find((path) => path.startsWith('broker/'))
  if (excused === undefined) return
  assert.deepEqual(whats(file(excused, long('const a = '))), [])
  assert.deepEqual(whats(file(excused, 'const a = 1')), [`${excused}:1: is in WRAP_YET without need`])
})
