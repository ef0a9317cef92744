/**
 * Goal: `npm run cluster:zones` is the same cluster in network namespaces, says how to go into one, shows what the
 * kernel counts beside the ledger, and leaves nothing.
 * Method: through npm; a load by `zonewise bench` from every zone, a client inside a zone.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, test } from 'node:test'
import { ZoneNet } from '#infra/local/zone-net.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { zonewise } from '#test/support/zonewise-process.ts'
import { killLaunched, LaunchedCluster } from '../tool/launched-cluster.ts'

after(killLaunched)

const MIB = 2 ** 20
const SECONDS = 8
const obstacle = ZoneNet.obstacle()

test('cluster:zones: payload goes through the region only, by the kernel and by the ledger', {
  skip: obstacle === null ? false : `SKIPPED: ${obstacle}`
}, async () => {
  const cluster = new LaunchedCluster(temporaryFolder(), null)
  await cluster.says(/What the kernel counts/)
  const [, http = ''] = /zonewise bench --http (\S+)/.exec(cluster.output)!
  const flags = ['--http', http, '--rate', String(4 * MIB), '--seconds', String(SECONDS)]
  const load = await zonewise(['bench', ...flags])
  assert.equal(load.code, 0, load.stderr)
  const [, namespace = '', server = ''] =
    /ip netns exec (\S+) npx zonewise produce demo --bootstrap-server (\S+)/.exec(cluster.output)!
  const command = [process.execPath, 'cli/zonewise.mjs', 'topic', 'list', '--bootstrap-server', server]
  assert.equal(execFileSync('ip', ['netns', 'exec', namespace, ...command]).toString(), '')

  await cluster.says(/Bytes between zones since the start:[^]*region +local-az3 .*\n/)
  const rows = [...cluster.output.matchAll(/^(\S+) +(local-\S+|region) +[\d.]+ (B|KiB|MiB) +/gm)]
  assert(rows.length >= 12, cluster.output)
  for (const [line, from, to, unit] of rows)
    if (from !== 'region' && to !== 'region') assert.notEqual(unit, 'MiB', line)
  cluster.signalGroup('SIGINT')
  assert.equal(await cluster.ended(), 0, cluster.output)
  assert.deepEqual(cluster.processes(), [])
  assert(!execFileSync('ip', ['netns', 'list']).toString().includes(namespace))
})
