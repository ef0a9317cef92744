/**
 * Goal: whatever ends `produce` and `consume` early, what they did so far counts and nothing is left behind.
 * Method: a server on free ports; commands as processes, whose streams are closed and that are sent signals.
 */
import assert from 'node:assert/strict'
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import kafkajs from 'kafkajs'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { startServer, type Server, zonewise } from '#test/support/zonewise-process.ts'

const ZONEWISE = fileURLToPath(new URL('../../../cli/zonewise.mjs', import.meta.url))
let server: Server

before(async () => { server = await startServer(temporaryFolder()) })
after(async () => { await server.end('SIGKILL') })

function begin(args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [ZONEWISE, ...args, '--bootstrap-server', server.bootstrap(0)])
}

async function read(topic: string): Promise<string> {
  const ran =
    await zonewise(['consume', topic, '--from-beginning', '--exit-at-end', '--bootstrap-server', server.bootstrap(1)])
  assert.equal(ran.code, 0, ran.stderr)
  return ran.stdout.toString()
}

test('produce: the lines before one that cannot be sent are sent', async () => {
  const args = ['produce', 'keyed', '--key-separator', ':', '--bootstrap-server', server.bootstrap(0)]
  const ran = await zonewise(args, 'a:1\nb:2\nnone\nc:3\n')
  assert.equal(ran.code, 1)
  assert.match(ran.stderr, /^zonewise: a line has no key separator \(line 3\)/)
  assert.equal(await read('keyed'), '1\n2\n')
})

test('produce: lines that are too long together go in batches of their own', async () => {
  const input = `${'x'.repeat(400_000)}\n${'y'.repeat(1_000_000)}\n`
  const ran = await zonewise(['produce', 'long', '--bootstrap-server', server.bootstrap(0)], input)
  assert.equal(ran.code, 0, ran.stderr)
  assert.equal(await read('long'), input)
})

test('produce: Ctrl-C ends it with 130 after what was read has been sent', async () => {
  const child = begin(['produce', 'stopped'])
  child.stdin.write('one\ntwo\nthr')
  while (!(await read('stopped').catch(() => '')).includes('two')) assert.equal(child.exitCode, null)
  child.kill('SIGINT')
  assert.deepEqual(await once(child, 'exit'), [130, null])
  assert.equal(await read('stopped'), 'one\ntwo\n')
})

test('consume: Ctrl-C and a reader that is gone end it, and the group it made is gone too', async () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${'.'.repeat(50)}`).join('\n')
  await zonewise(['produce', 'many', '--bootstrap-server', server.bootstrap(0)], lines)
  for (const [end, code] of [['close', 0], ['SIGINT', 130]] as const) {
    const child = begin(['consume', 'many', '--from-beginning'])
    await once(child.stdout, 'data')
    if (end === 'close') child.stdout.destroy()
    else {
      child.stdout.resume()
      child.kill(end)
    }
    assert.deepEqual(await once(child, 'exit'), [code, null])
  }
  const admin = new kafkajs.Kafka({ brokers: [server.bootstrap(2)], logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  assert.deepEqual((await admin.listGroups()).groups, [])
  await admin.disconnect()
})
