/**
 * Goal: whatever stops a command is one sentence on stderr with a documented exit code, and never a stack trace.
 * Method: command lines that cannot work, run as processes.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { zonewise } from '#test/support/zonewise-process.ts'

async function refused(args: readonly string[], code: number, sentence: RegExp): Promise<void> {
  const ran = await zonewise(args)
  const errors = ran.stderr.split('\n').filter((line) => line.startsWith('zonewise: '))
  assert.equal(ran.code, code, ran.stderr)
  assert.equal(errors.length, 1, ran.stderr)
  assert.match(errors[0]!, sentence)
  assert.doesNotMatch(ran.stderr, /^\s+at /m)
}

test('zonewise: refuses flags, values and listeners that it does not understand', async () => {
  await refused(['start', '--bogus'], 1, /--bogus/)
  await refused(['start', '--shards', '0'], 1, /--shards.*1 to 4096/)
  await refused(['start', '--listener', 'zone=a'], 1, /port=/)
  await refused(['start', '--listener', 'zone=a,port=0,host=0.0.0.0'], 1, /advertised/)
  await refused(['start', '--listener', 'zone=a,port=0', '--listener', 'zone=a,port=0'], 1, /zone a/)
  await refused(['start', '--http', 'here'], 1, /HOST:PORT/)
  await refused(['start', '--config', '/nonexistent.json'], 1, /nonexistent/)
  await refused(['consume', 't', '--max-messages', 'x'], 1, /--max-messages/)
})

test('zonewise: says how to use it when the command line is incomplete', async () => {
  await refused(['nonsense'], 2, /no command "nonsense"/)
  await refused(['topic'], 2, /topic create/)
  await refused(['produce'], 2, /zonewise produce TOPIC/)
  assert.equal((await zonewise([])).code, 2)
  assert.equal((await zonewise(['help'])).code, 0)
  assert.equal((await zonewise(['start', '--help'])).code, 0)
})

test('zonewise: names a port in use, a folder that cannot be written and a cluster that is not there', async () => {
  const folder = temporaryFolder()
  const taken = createServer()
  await new Promise<void>((resolve) => { taken.listen(0, '127.0.0.1', resolve) })
  const { port } = taken.address() as { readonly port: number }
  const free = ['--http', '127.0.0.1:0', '--listener', 'zone=a,port=0']
  await refused(['start', '--data', folder, '--http', `127.0.0.1:${port}`], 1, new RegExp(`port ${port}`))
  await refused(
    ['start', '--data', folder, '--http', '127.0.0.1:0', '--listener', `zone=a,port=${port}`], 1,
    new RegExp(`port ${port}`)
  )
  await refused(['start', '--data', '/dev/null/zonewise', ...free], 1, /dev\/null\/zonewise/)
  taken.close()
  await refused(['topic', 'list', '--bootstrap-server', '127.0.0.1:1'], 1, /--bootstrap-server/)
  await refused(['ledger', '--http', '127.0.0.1:1'], 1, /127\.0\.0\.1:1/)
})
