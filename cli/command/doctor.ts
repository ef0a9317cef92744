/** `zonewise doctor`: looks at all that a start with the same flags would need; makes and changes nothing. */
import { existsSync } from 'node:fs'
import { CLUSTER_VERSIONS } from '#shared/cluster/cluster-version.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { openRedisJournal } from '#shared/journal/redis-journal.ts'
import { isRedisAddress, parseRedisAddress } from '#shared/journal/redis-address.ts'
import { redisSettings } from '#shared/journal/redis-config.ts'
import { RedisRegistry } from '#shared/cluster/redis-registry.ts'
import { silentLog } from '#shared/log/log.ts'
import { transportSettings } from '#shared/transport/config.ts'
import { clusterSettings } from '../cluster-config.ts'
import { checkClusterId, checkPeers, isNodeLive } from '../doctor/cluster-checks.ts'
import { failure, type Finding, findingLine, ok, warn } from '../doctor/finding.ts'
import { checkFolder, checkOpenFiles, checkPort } from '../doctor/machine-checks.ts'
import { checkRedis } from '../doctor/redis-checks.ts'
import { checkStore } from '../doctor/store-checks.ts'
import { ownInfo } from '../node/own-info.ts'
import type { OpenedStore } from '../node/open-store.ts'
import { nodeRuntime } from '../platform/node-runtime.ts'
import { openRedis } from '../platform/redis.ts'
import { newRpcDial } from '../platform/rpc-dial.ts'
import type { Arguments } from './arguments.ts'
import { EXIT, type Terminal } from './command.ts'
import { readStartSettings, type StartSettings } from './start-settings.ts'

const PROBE_NODE_ID = 2 ** 31 - 1 // asks peers under no node's id: the streams of one that runs are left alone

export async function doctor(args: Arguments, terminal: Terminal): Promise<number> {
  const findings: Finding[] = []
  const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
  try {
    const start = settingsOf(args, terminal, findings)
    if (start !== null) await examine(start, terminal, findings)
  } finally {
    clearInterval(awake)
  }
  const failed = findings.filter(({ state }) => state === 'fail').length
  if (args.flags.has('json')) {
    terminal.stdout.write(`${JSON.stringify({ isWell: failed === 0, findings }, null, 2)}\n`)
  } else {
    const width = Math.max(...findings.map(({ check }) => check.length))
    for (const finding of findings) terminal.stdout.write(`${findingLine(finding, width)}\n`)
    const verdict = failed === 0 ? 'A node can start like this.' : `${failed} of ${findings.length} checks failed.`
    terminal.stdout.write(`${verdict}\n`)
  }
  return failed === 0 ? EXIT.ok : EXIT.failed
}

function settingsOf(args: Arguments, terminal: Terminal, findings: Finding[]): StartSettings | null {
  try {
    return readStartSettings(args, terminal)
  } catch (error) {
    findings.push(failure('settings', error, 'a start would refuse them'))
    return null
  }
}

async function examine(start: StartSettings, terminal: Terminal, findings: Finding[]): Promise<void> {
  const { settings, parts, listeners, httpAddress } = start
  const { connectionsMax } = parts.gatewaySettings
  const { storeFilesOpenMax, storeFreeBytesMin } = parts.brokerSettings
  findings.push(checkOpenFiles({ connectionsMax, gateways: Math.max(1, listeners.length), storeFilesOpenMax }))
  for (const [check, folder] of foldersOf(settings)) findings.push(await checkFolder(check, folder, storeFreeBytesMin))
  const isCluster = isRedisAddress(settings.journal)
  const opened = isCluster || settings.store.startsWith('s3:') ? await examineStore(start, terminal, findings) : null
  let isOwn = false
  try {
    if (isCluster) isOwn = await examineCluster(start, opened, findings)
  } finally {
    await opened?.close()
  }
  const ports = [...listeners.map(({ zone, host, port }) => ({ name: `clients of ${zone}`, host, port })),
    { name: 'HTTP', ...httpAddress }]
  for (const wanted of ports) findings.push(await checkPort(wanted, isOwn || await isZonewise(httpAddress)))
}

/** Folders that a start would write. */
function foldersOf({ data, store, journal }: StartSettings['settings']): (readonly [check: string, path: string])[] {
  const named = [['folder of the store', store], ['folder of the journal', journal]] as const
  const places = named.flatMap(([check, place]) => {
    const path = fileOf(place)
    return path === null ? [] : [[check, path] as const]
  })
  return store === '' || journal === '' ? [['folder', data], ...places] : places
}

function fileOf(place: string): string | null {
  return place.startsWith('file:') ? place.slice('file:'.length) : null
}

async function examineStore(
  { settings, parts }: StartSettings, terminal: Terminal, findings: Finding[]
): Promise<OpenedStore | null> {
  if (settings.store === '' || settings.store === 'memory:') return refuseOwnStore(settings.store, findings)
  const folder = fileOf(settings.store)
  if (folder !== null && !existsSync(folder)) {
    findings.push(ok('store', `there is no ${folder} yet: the first node makes it`))
    return null
  }
  const { store, data } = settings
  const outside = { runtime: nodeRuntime, log: silentLog, env: terminal.env }
  const { opened, findings: found } = await checkStore({ ...parts, store, data, ...outside })
  findings.push(...found)
  return opened
}

function refuseOwnStore(place: string, findings: Finding[]): null {
  const found = place === '' ? 'the store is a folder inside --data' : 'the store is memory'
  const cure = 'give all nodes the same --store (s3://bucket/prefix, or a folder that all see)'
  findings.push(warn('store', { found, why: 'nodes of a cluster share one store', cure }))
  return null
}

/** @returns whether this node runs already. */
async function examineCluster(start: StartSettings, opened: OpenedStore | null, findings: Finding[]): Promise<boolean> {
  const { settings, sources, parts: { brokerSettings } } = start
  const cluster = clusterSettings.load(sources)
  const transport = transportSettings.load(sources)
  const address = parseRedisAddress(settings.journal)
  const redis = openRedis(address, { runtime: nodeRuntime, settings: redisSettings.load(sources), log: silentLog })
  const registry = new RedisRegistry({ redis, prefix: address.prefix, timer: nodeRuntime.timer, log: silentLog })
  try {
    const { snapshotJournalBytes, groupBytesMax } = brokerSettings
    const sizes = { shards: settings.shards, snapshotJournalBytes, groupBytesMax }
    const { isReached, findings: found } = await checkRedis(redis, address, cluster, sizes)
    findings.push(...found)
    const own = ownInfo({ clusterSettings: cluster, listeners: start.listeners })
    if (!isReached) return false
    if (opened !== null) {
      const { prefix, slotGroups } = address
      const journal = await openRedisJournal({
        redis, prefix, slotGroups, runtime: nodeRuntime, settings: redisSettings.load(sources), log: silentLog
      })
      const { clusterId, finding } = await checkClusterId(opened.store, journal)
      await journal.close()
      findings.push(finding)
      if (clusterId !== null) {
        findings.push(...await checkPeers({
          registry, own: { nodeId: PROBE_NODE_ID, nodeEpoch: 0, zone: own.zone }, ignored: own.nodeId,
          clusterId, formats: CLUSTER_VERSIONS, dial: newRpcDial(transport.rpcDialTimeoutMs), runtime: nodeRuntime,
          settings: transport
        }))
      }
    }
    return await isNodeLive(registry, own.nodeId)
  } catch (error) {
    if (!(error instanceof ZonewiseError)) throw error
    findings.push(failure('cluster', error, 'this node could not join'))
    return false
  } finally {
    registry.close()
    await redis.close()
  }
}

/** Whether what listens there is a node of ours already. */
async function isZonewise({ host, port }: StartSettings['httpAddress']): Promise<boolean> {
  if (port === 0) return false
  try {
    const answer = await fetch(`http://${host}:${port}/live`, { signal: AbortSignal.timeout(1_000) })
    return typeof ((await answer.json()) as { readonly live?: unknown }).live === 'boolean'
  } catch {
    return false // nothing listens there, or something else
  }
}
