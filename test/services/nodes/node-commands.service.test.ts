/**
 * Goal: nodes are listed and drained through any of them, drained ones give away what they lead and serve on, and the
 * ledger of all is watched. Method: three processes, the command line as people type it.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { NodeRow } from '#cli/node/cluster-nodes.ts'
import type { ZoneResult } from '#cli/load/zone-load.ts'
import { zonewise } from '#test/support/zonewise-process.ts'
import { type ClusterNode, NodeCluster, pause, until } from '../tool/node-cluster.ts'

const ZONEWISE = fileURLToPath(new URL('../../../cli/zonewise.mjs', import.meta.url))

let cluster: NodeCluster
before(async () => { cluster = await NodeCluster.start(['az1', 'az1', 'az2']) })
after(() => cluster.end())

type Ran = { readonly code: number | null; readonly out: string; readonly err: string }

async function run(node: ClusterNode, ...args: readonly string[]): Promise<Ran> {
  const { code, stdout, stderr } = await zonewise([...args, '--http', node.http])
  return { code, out: stdout.toString(), err: stderr }
}

async function list(): Promise<readonly NodeRow[]> {
  return (JSON.parse((await run(cluster.nodes[2]!, 'node', 'list', '--json')).out) as { nodes: NodeRow[] }).nodes
}

test('node list: every node with its place, its shards and its state, in a table and as JSON', async () => {
  await until(async () => (await list()).every(({ shards }) => shards.length > 0), 'all lead')
  const nodes = await list()
  assert.deepEqual(nodes.map(({ nodeId, zone, state, roles }) => [nodeId, zone, state, roles]), [
    [1, 'az1', 'serving', ['gateway', 'broker']], [2, 'az1', 'serving', ['gateway', 'broker']],
    [3, 'az2', 'serving', ['gateway', 'broker']]
  ])
  assert.deepEqual(nodes.flatMap(({ shards }) => shards).sort((a, b) => a - b), [...Array(16).keys()])
  assert.equal(nodes.filter(({ leadsCatalog }) => leadsCatalog).length, 1)
  const addresses = cluster.nodes.map(({ kafka, http }) => [kafka, http])
  assert.deepEqual(nodes.map(({ kafka, http }) => [kafka[0], http]), addresses)
  for (const { load } of nodes) assert(load !== null && load >= 0 && load <= 1, String(load))
  const { code, out } = await run(cluster.nodes[0]!, 'node', 'list')
  assert.equal(code, 0)
  assert.match(out, /^node +zone +state +roles +kafka +http +shards +load +epoch +version\n/)
  assert.match(out, /\n2 +az1 +serving +gateway\+broker +127\.0\.0\.1:\d+ +127\.0\.0\.1:\d+ +\d+/)
})

test('node drain: asked of another node it gives away its shards, --undo brings them back', async () => {
  const { code, out, err } = await run(cluster.nodes[2]!, 'node', 'drain', '1')
  assert.equal(code, 0, err)
  assert.match(out, /^Node 1 drains[^]*Node 1 leads nothing any more, and its clients are told the other gateways/)
  const drained = (await list())[0]!
  assert.deepEqual([drained.state, drained.shards, drained.leadsCatalog], ['draining', [], false])
  const topics = await zonewise(['topic', 'list', '--bootstrap-server', cluster.nodes[0]!.kafka])
  assert.equal(topics.code, 0, topics.stderr)
  assert.match((await run(cluster.nodes[1]!, 'node', 'drain', '1', '--undo')).out, /^Node 1 serves again/)
  await until(async () => (await list())[0]!.shards.length > 0, 'it leads again')
})

test('node drain: what cannot be is refused with a sentence', async () => {
  const unknown = await run(cluster.nodes[0]!, 'node', 'drain', '9')
  assert.deepEqual([unknown.code, unknown.out], [1, ''])
  assert.match(unknown.err, /no node has this id; there are 1, 2, 3/)
  for (const id of ['2', '3']) assert.equal((await run(cluster.nodes[0]!, 'node', 'drain', id)).code, 0)
  const last = await run(cluster.nodes[0]!, 'node', 'drain', '1')
  assert.match(last.err, /no other broker serves that could take its shards/)
  assert.match((await run(cluster.nodes[0]!, 'node', 'drain', 'x')).err, /a node id is a whole number/)
  for (const id of ['2', '3']) await run(cluster.nodes[0]!, 'node', 'drain', id, '--undo')
})

test('ledger --watch: rates beside totals over the whole cluster, and who does not answer is named', async () => {
  const flags = ['ledger', '--watch', '--interval', '300ms', '--http', cluster.nodes[0]!.http]
  const child = spawn(process.execPath, [ZONEWISE, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (bytes: Buffer) => { out += bytes.toString() })
  const ended = new Promise<number | null>((resolve) => { child.on('close', resolve) })
  await until(() => /az1 +[^\n]*\d+ B\/s/.test(out), 'rates are shown')
  assert.match(out, /^Bytes from zone to zone[^\n]* 3 nodes, every 0.3 s; Ctrl-C ends\)\n\nfrom \\ to +az1/)
  cluster.nodes[1]!.pause()
  await until(() => out.includes('Node 2 did not answer: what it counted is not in.'), 'the node is named')
  cluster.nodes[1]!.resume()
  child.kill('SIGINT')
  assert.equal(await ended, 130)
})

test('bench: goes on at the other gateway of a zone when its own dies, and waits for the only one of another', async () => {
  const ran = zonewise(['bench', '--http', cluster.nodes[1]!.http, '--rate', '200000', '--seconds', '14', '--json'])
  await pause(4_000)
  await Promise.all([cluster.nodes[0]!.kill(), cluster.nodes[2]!.kill()])
  await pause(1_000)
  await cluster.nodes[2]!.start()
  const { code, stdout, stderr } = await ran
  assert.match(stdout.toString(), /^\{/, stderr)
  const { zones } = JSON.parse(stdout.toString()) as { readonly zones: readonly ZoneResult[] }
  assert.deepEqual(zones.map(({ zone }) => zone), ['az1', 'az2'])
  for (const { zone, awaySeconds, produced, read, errors } of zones) {
    assert(awaySeconds > 0 && awaySeconds < 10, `${zone} was away ${awaySeconds} s`)
    assert(produced.bytes > 0 && read.bytes > 0)
    assert.equal(errors['not read'], undefined, 'all that was acknowledged is read')
    const said = stderr.split('\n').filter((line) => line.startsWith(`${zone}: `))
    assert.match(said[0]!, /: the gateway at 127\.0\.0\.1:\d+ went away; trying those of its zone$/)
    assert.match(said[1]!, /: served again after [\d.]+ s$/)
    assert.equal(said.length, 2)
    const isClean = Object.keys(errors).length === 0
    if (!isClean) assert.equal(code, 1, 'requests without an answer are errors')
  }
  const topics = await zonewise(['topic', 'list', '--bootstrap-server', cluster.nodes[1]!.kafka])
  assert.doesNotMatch(topics.stdout.toString(), /zonewise-bench/)
  await cluster.nodes[0]!.start()
})
