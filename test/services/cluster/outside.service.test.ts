/**
 * Goal: what is wrong with what a node of a cluster stands on is said in one sentence with cause and cure: by the
 * start, by `/ready`, by `zonewise doctor`. What may pass is waited for, and the node serves when it has.
 * Method: the command line on a real redis-server and a real S3 server that are away, elsewhere, emptied or far from
 * our time. Wrong credentials, buckets and clusters are in test/services/nodes and test/services/store.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Finding } from '#cli/doctor/finding.ts'
import type { Readiness } from '#cli/node/types.ts'
import { RedisServer } from '#infra/local/redis-server.ts'
import { S3Server } from '#infra/local/s3-server.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { type Endpoints, type Launched, launchServer, zonewise } from '#test/support/zonewise-process.ts'
import { freePorts } from '../tool/launched-cluster.ts'
import { pause, until } from '../tool/node-cluster.ts'
import { operatorOf, startTlsRedis } from '../tool/redis-topologies.ts'

const BUCKET = 'outside'
const HOUR_MS = 3_600_000
const STOP_AWAY_MS = 4_000
const STOP_MS_MAX = STOP_AWAY_MS + 2_000
/** Short times, so that nobody waits for what the test took away. */
const QUICK = [
  '--redis-connect-timeout-ms', '300', '--redis-retry-max-ms', '200', '--stop-away-ms', String(STOP_AWAY_MS)
]
const CLOCK = `
const Real = Date
const aheadMs = Number(process.env.TEST_CLOCK_AHEAD_MS)
globalThis.Date = class extends Real {
  constructor(...given) { super(...given.length === 0 ? [Real.now() + aheadMs] : given) }
  static now() { return Real.now() + aheadMs }
}
`

let s3: S3Server
let redis: RedisServer
let env: NodeJS.ProcessEnv
const folder = temporaryFolder()
const nodes: OutsideNode[] = []

before(async () => {
  redis = await RedisServer.start({ folder: join(folder, 'redis') })
  s3 = await S3Server.start({ folder: join(folder, 's3'), buckets: [BUCKET] })
  env = {
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    AWS_ENDPOINT_URL_S3: s3.endpoint, AWS_REGION: s3.region, AWS_EC2_METADATA_DISABLED: 'true'
  }
})
after(async () => {
  for (const node of nodes) node.launched.child.kill('SIGKILL')
  await s3.stop()
  await redis.kill()
})

type Given = { readonly prefix: string; readonly journal?: string; readonly env?: NodeJS.ProcessEnv
  readonly nodeId?: number }

function flagsOf({ prefix, journal, nodeId = 1 }: Given): string[] {
  const address = journal ?? `redis://127.0.0.1:${redis.port}/0?prefix=${prefix}`
  return ['--node-id', String(nodeId), '--journal', address, '--store', `s3://${BUCKET}/${prefix}`, ...QUICK]
}

/** A node that need not be ready. */
class OutsideNode {
  readonly http: string
  readonly launched: Launched

  private constructor(port: number, { env: more, ...given }: Given) {
    this.http = `127.0.0.1:${port}`
    const flags = [...flagsOf(given), '--http', this.http]
    this.launched = launchServer(temporaryFolder(), flags, [`zone=az${given.nodeId ?? 1},port=0`], { ...env, ...more })
    nodes.push(this)
  }

  static async launch(given: Given): Promise<OutsideNode> {
    return new OutsideNode(await freePorts(), given)
  }

  get log(): string {
    return this.launched.log()
  }

  async readiness(): Promise<Readiness | null> {
    return await fetch(`http://${this.http}/ready`).then((answer) => answer.json(), () => null) as Readiness | null
  }

  /** `/ready` names `what`. */
  async lacks(what: RegExp): Promise<void> {
    await until(async () => what.test((await this.readiness())?.missing?.join('\n') ?? ''), `/ready says ${what}`)
  }

  async serves(): Promise<Endpoints> {
    await until(() => {
      if (this.launched.child.exitCode !== null) throw new Error(`the node ended:\n${this.log}`)
      return this.launched.endpoints() !== null
    }, 'the node serves')
    return this.launched.endpoints()!
  }

  async stop(): Promise<void> {
    const fromMs = performance.now()
    this.launched.child.kill('SIGTERM')
    assert.equal(await this.launched.exited, 0, this.log)
    assert(performance.now() - fromMs < STOP_MS_MAX, `SIGTERM took ${performance.now() - fromMs} ms`)
  }

  /** Lines of the log with a message. */
  said(message: string): string[] {
    return this.log.split('\n').filter((line) => line.includes(`"msg":"${message}"`))
  }
}

async function doctor(given: Given): Promise<readonly Finding[]> {
  const flags = [...flagsOf(given), '--http', '127.0.0.1:0', '--listener', `zone=az${given.nodeId ?? 1},port=0`]
  const { stdout } = await zonewise(['doctor', ...flags, '--json'], '', { ...env, ...given.env })
  const { findings } = JSON.parse(stdout.toString()) as { readonly findings: readonly Finding[] }
  const isOfMemory = ({ check, found }: Finding): boolean => check === 'redis' && found.includes('memory')
  return findings.filter((finding) => finding.state !== 'ok' && !isOfMemory(finding))
}

/** The one sentence that a start ends with. */
async function refusal(given: Given): Promise<string> {
  const node = await OutsideNode.launch(given)
  assert.equal(await node.launched.exited, 1, node.log)
  const sentences = node.log.split('\n').filter((line) => line.startsWith('zonewise: '))
  assert.equal(sentences.length, 1, node.log)
  return sentences[0]!
}

const clockAhead = (ms: number): NodeJS.ProcessEnv => {
  const file = join(folder, 'clock.mjs')
  writeFileSync(file, CLOCK)
  return { NODE_OPTIONS: `--import ${pathToFileURL(file).href}`, TEST_CLOCK_AHEAD_MS: String(ms) }
}

test('outside: a clock far from that of the store ends the start; one that is near is a warning', async () => {
  const far = { prefix: 'clock', env: clockAhead(HOUR_MS) }
  const sentence = await refusal(far)
  assert.match(sentence, /^zonewise: the clock of this machine and that of the object store differ too much \(/)
  assert.match(sentence, /code RequestTimeTooSkewed.*serverAheadMs -36\d{5}\)\. Set the clock of this machine, by NTP/)
  const [found, ...others] = await doctor(far)
  assert.deepEqual([found!.check, found!.state, others], ['store', 'fail', []])
  assert.match(found!.found, /^the clock of this machine and that of the object store differ too much/)
  assert.equal(found!.cure, 'set the clock of this machine, by NTP')
  const [near] = await doctor({ prefix: 'clock', env: clockAhead(120_000) })
  assert.deepEqual([near!.check, near!.state], ['clock', 'warn'])
  assert.match(near!.found, /^the clock of the store is 1[12]\d s behind that of this machine$/)
})

test('outside: a wrong region is a warning that names the right one, and the node serves', async () => {
  const given = { prefix: 'region', env: { AWS_REGION: 'eu-west-1' } }
  assert.deepEqual(await doctor(given), [{
    check: 'store', state: 'warn', found: 'the bucket is in us-east-1, not in eu-west-1',
    why: 'every start asks the wrong region first', cure: 'give --s3-region us-east-1'
  }])
  const node = await OutsideNode.launch(given)
  await node.serves()
  assert.match(node.said('the bucket is in another region: it is used there from now on')[0]!, /"region":"us-east-1"/)
  await node.stop()
})

test('outside: a store that is away at the start is waited for, said once, and named by /ready and doctor', async () => {
  await s3.kill()
  const given = { prefix: 'away-store' }
  const [early, node] = [await OutsideNode.launch(given), await OutsideNode.launch({ ...given, nodeId: 2 })]
  const what = /^waits for the object store: the object store cannot be reached \(.*ECONNREFUSED.*Check that it runs/
  for (const one of [early, node]) await one.lacks(what)
  await early.stop()
  const [found] = await doctor(given)
  assert.deepEqual([found!.check, found!.state], ['store', 'fail'])
  assert.match(found!.found, /^the object store cannot be reached \(.*ECONNREFUSED/)
  assert.equal(found!.cure, 'check that it runs, and --store and --s3-endpoint')
  await pause(3_000) // it tries again meanwhile
  assert.equal(node.said('waiting to start').length, 1, node.log)
  await s3.restart()
  await node.serves()
  assert.equal(node.said('there again').length, 1)
  await node.stop()
})

test('outside: SIGTERM ends a node in time though the store went away under a producer, with nothing lost', async () => {
  const given = { prefix: 'stopped' }
  const node = await OutsideNode.launch(given)
  const { listeners: [listener] } = await node.serves()
  const produce = (words: string, { host, port } = listener!): ReturnType<typeof zonewise> =>
    zonewise(['produce', 'words', '--bootstrap-server', `${host}:${port}`], words)
  assert.equal((await produce('acknowledged\n')).code, 0)
  await s3.kill()
  const waiting = produce('not acknowledged\n')
  await pause(1_500)
  await node.stop()
  assert.notEqual((await waiting).code, 0)
  await s3.restart()
  const again = await OutsideNode.launch(given)
  const { listeners: [next] } = await again.serves()
  const flags = ['words', '--from-beginning', '--exit-at-end', '--bootstrap-server', `${next!.host}:${next!.port}`]
  assert.equal((await zonewise(['consume', ...flags])).stdout.toString(), 'acknowledged\n')
  await again.stop()
})

test('outside: a Redis that is away at the start is waited for, said once, and named by /ready and doctor', async () => {
  await redis.kill()
  const given = { prefix: 'away-redis' }
  const [early, node] = [await OutsideNode.launch(given), await OutsideNode.launch({ ...given, nodeId: 2 })]
  for (const one of [early, node]) await one.lacks(/^waits for Redis/)
  await early.stop()
  await node.lacks(/^waits for Redis: Redis cannot be reached \(.*ECONNREFUSED.*check that it runs/)
  const [found] = await doctor(given)
  assert.deepEqual([found!.check, found!.state], ['redis', 'fail'])
  assert.match(found!.found, /^Redis cannot be reached \(.*ECONNREFUSED/)
  assert.match(found!.cure, /check that it runs, and the address, user and password given with --journal/)
  assert.equal(node.said('waiting to start').length, 1, node.log)
  await redis.start()
  await node.serves()
  await node.stop()
})

test('outside: nodes of a cluster on a Redis that speaks TLS, by an authority that only a file names', async () => {
  const { server, url, caFile } = await startTlsRedis()
  const trusted = { prefix: 'tls', journal: `${url}?ca=${caFile}` }
  const untrusted = { prefix: 'tls', journal: url }
  assert.deepEqual(await doctor(trusted), [])
  const [found] = await doctor(untrusted)
  assert.match(found!.found, /^the certificate of Redis is not trusted \(.*self-signed certificate/)
  assert.equal(found!.cure, 'name who signed it with ca=FILE in --journal, or correct the host there')
  const sentence = await refusal({ ...untrusted, nodeId: 3 })
  assert.match(sentence, /^zonewise: the certificate of Redis is not trusted .* Name who signed it with ca=FILE in /)
  const [first, second] = [await OutsideNode.launch(trusted), await OutsideNode.launch({ ...trusted, nodeId: 2 })]
  const addressOf = ({ listeners: [listener] }: Endpoints): string => `${listener!.host}:${listener!.port}`
  const [at, other] = [addressOf(await first.serves()), addressOf(await second.serves())]
  const produced = await zonewise(['produce', 'words', '--bootstrap-server', at], 'over TLS\n')
  assert.equal(produced.code, 0, produced.stderr)
  const read = await zonewise(['consume', 'words', '--from-beginning', '--exit-at-end', '--bootstrap-server', other])
  assert.equal(read.stdout.toString(), 'over TLS\n')
  for (const node of [first, second]) await node.stop()
  await server.kill()
})

test('outside: a Redis that was emptied is not gone on with, and everybody says what to do', async () => {
  const own = await RedisServer.start({ folder: join(folder, 'emptied') })
  const given = { prefix: 'emptied', journal: `redis://127.0.0.1:${own.port}` }
  const node = await OutsideNode.launch(given)
  const { listeners: [listener] } = await node.serves()
  const flags = ['words', '--bootstrap-server', `${listener!.host}:${listener!.port}`]
  assert.equal((await zonewise(['produce', ...flags], 'before\n')).code, 0)
  await own.kill()
  const empty = await RedisServer.start({ folder: join(folder, 'empty'), port: own.port })
  const produced = zonewise(['produce', ...flags], 'after\n')
  await node.lacks(/is quarantined: .*restore/)
  const [found] = await doctor(given)
  assert.match(found!.found, /^the store is of cluster .*, Redis has no journals of it/)
  assert.match(found!.cure, /restore Redis from its append-only file or a backup/)
  assert.match(await refusal({ ...given, nodeId: 2 }), /the store is in use, but its journal is empty .*restore it/)
  await node.stop()
  assert.notEqual((await produced).code, 0)
  await empty.kill()
})

test('outside: a Redis that was emptied under an idle node is noticed, though nobody asks', async () => {
  const own = await RedisServer.start({ folder: join(folder, 'flushed') })
  const node = await OutsideNode.launch({ prefix: 'flushed', journal: `redis://127.0.0.1:${own.port}` })
  await node.serves()
  await (await operatorOf(own))('FLUSHALL')
  await node.lacks(/is quarantined: .*restore/)
  await node.stop()
  await own.kill()
})
