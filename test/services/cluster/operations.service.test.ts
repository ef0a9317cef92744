/**
 * Goal: the five commands of docs/operations.md start a cluster, as they are written there, and the others try it.
 * Method: each is run by a shell, in a network namespace where that is allowed, so that the ports of the page are free;
 * from a folder that knows `npx zonewise` as the checkout does.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { s3ServerBinary } from '#infra/local/s3-binary.ts'
import { endChild, signalChild, spawnChild } from '#infra/local/server-child.ts'
import { HERE, type Within } from '#infra/local/within.ts'
import { ZoneNet } from '#infra/local/zone-net.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const READY_MS_MAX = 60_000
const POLL_MS = 250
const STOP_MS_MAX = 40_000
const HOST = 'operator'

const folder = temporaryFolder()
const servers: ChildProcess[] = []
const isolated = ZoneNet.obstacle() === null
let net: ZoneNet | null = null
let within: Within = HERE
let env: NodeJS.ProcessEnv

before(async () => {
  if (isolated) {
    net = ZoneNet.create([HOST])
    within = (command) => net!.on(HOST, command)
  } else process.stdout.write('not in a network namespace: the ports of docs/operations.md must be free\n')
  mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true })
  symlinkSync(join(ROOT, 'cli', 'zonewise.mjs'), join(folder, 'node_modules', '.bin', 'zonewise'))
  const tools = dirname(await s3ServerBinary((line) => { process.stdout.write(`${line}\n`) }))
  env = { ...process.env, PATH: [dirname(process.execPath), process.env['PATH'], tools].join(delimiter) }
})
after(async () => {
  for (const child of servers.toReversed()) await endChild(child, 'SIGKILL')
  net?.remove()
})

/** The commands of the n-th block below a heading; what a backslash continues is one. */
function commandsOf(heading: string, block: number): string[] {
  const text = readFileSync(join(ROOT, 'docs', 'operations.md'), 'utf8')
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? ''
  const blocks = [...section.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, inner]) => inner!)
  return blocks[block]!.replaceAll('\\\n', ' ').split('\n').filter((line) => line !== '')
}

function shell(command: string): ChildProcess {
  return spawnChild(['bash', '-c', `cd '${folder}' && ${command}`], {
    within, env, stdio: ['ignore', 'pipe', 'pipe'], holding: { ownGroup: true }
  })
}

/** Runs it to its end. */
async function answer(command: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const { file, args } = within(['bash', '-c', `cd '${folder}' && ${command}`])
  const child = spawn(file, [...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const onOutput = (bytes: Buffer): void => { output += bytes.toString() }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', onOutput)
  const code = await new Promise<number | null>((resolve) => { child.on('close', resolve) })
  return { code, output }
}

test('operations: five commands start a cluster, and the others try it', async () => {
  const commands = commandsOf('On one machine', 0)
  assert.equal(commands.length, 5)
  let said = ''
  const onOutput = (bytes: Buffer): void => { said += bytes.toString() }
  for (const command of commands) {
    const child = shell(command)
    servers.push(child)
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', onOutput)
  }
  const untilMs = performance.now() + READY_MS_MAX
  for (const port of [8_080, 8_081, 8_082]) {
    const ask = `node -e "fetch('http://127.0.0.1:${port}/ready').then((r) => process.exit(r.ok ? 0 : 1))"`
    while ((await answer(ask)).code !== 0) {
      assert(performance.now() < untilMs, said)
      await new Promise((resolve) => { setTimeout(resolve, POLL_MS) })
    }
  }
  const tries = commandsOf('On one machine', 1)
  assert.equal(tries.length, 3)
  const answers: string[] = []
  for (const command of tries) {
    const { code, output } = await answer(command)
    assert.equal(code, 0, `${command}: ${output}\n${said}`)
    answers.push(output)
  }
  assert.equal(answers[1], 'hello\n')
  assert.match(answers[2]!, /payload +0 B/)

  const nodes = servers.slice(2)
  for (const child of nodes) signalChild(child, 'SIGINT') // Ctrl-C; the shell may be gone before what it runs
  const stopMs = performance.now() + STOP_MS_MAX
  while (said.match(/"msg":"stopped"/g)?.length !== nodes.length) {
    assert(performance.now() < stopMs, said)
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS) })
  }
})
