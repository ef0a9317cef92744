/** Redis as operators run it: a Redis Cluster, a primary that Sentinels watch, TLS. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { slotOf } from '#cli/platform/redis-slots.ts'
import { RedisServer } from '#infra/local/redis-server.ts'
import { RedisRefusal, type RedisArgument, type RedisValue } from '#shared/runtime/redis.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { connect, pause, startRedis, urlOf } from './redis-journals.ts'

export const SENTINEL_NAME = 'zw-primary'
const SLOTS = 16_384

/** Sends a command to one server, as redis-cli would, and gives the reply as it would print it. Refusals are thrown. */
export type Operator = (command: string, ...args: RedisArgument[]) => Promise<string>

export async function operatorOf(server: RedisServer): Promise<Operator> {
  const { redis } = connect(urlOf(server))
  await redis.ready()
  return async (command, ...args) => {
    const reply = await redis.call('', command, args)
    if (reply instanceof RedisRefusal) throw new Error(`${command}: ${reply.text}`)
    return printed(reply)
  }
}

function printed(reply: RedisValue): string {
  if (reply instanceof Uint8Array) return new TextDecoder().decode(reply)
  return typeof reply === 'object' && reply !== null ? reply.map(printed).join('\n') : String(reply)
}

export type RedisClusterUnderTest = { readonly servers: readonly RedisServer[]; readonly operators: readonly Operator[]; readonly url: string }

/** Three primaries, without replicas. */
export async function startRedisCluster(): Promise<RedisClusterUnderTest> {
  const config = { 'cluster-enabled': 'yes', 'cluster-node-timeout': '1000', 'cluster-require-full-coverage': 'no' }
  const servers = [await startRedis({ config }), await startRedis({ config }), await startRedis({ config })]
  const operators = await Promise.all(servers.map(operatorOf))
  const each = Math.ceil(SLOTS / servers.length)
  for (const [i, operator] of operators.entries()) {
    const slots = Array.from({ length: Math.min(each, SLOTS - i * each) }, (_, n) => i * each + n)
    await operator('CLUSTER', 'ADDSLOTS', ...slots)
    await operator('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
  }
  for (const server of servers.slice(1)) await operators[0]!('CLUSTER', 'MEET', server.host, server.port)
  for (const operator of operators) {
    while (!(await operator('CLUSTER', 'INFO')).includes('cluster_slots_ok:16384') || !(await operator('CLUSTER', 'INFO')).includes('cluster_state:ok')) await pause(20)
  }
  return { servers, operators, url: `redis+cluster://${servers.map(({ host, port }) => `${host}:${port}`).join(',')}` }
}

/** The server that has the slot of a key when the cluster is new. */
export function firstOwner(key: string, serverCount: number): number {
  return Math.floor(slotOf(key) / Math.ceil(SLOTS / serverCount))
}

/** Moves the slot of a key, with what is in it, as redis-cli --cluster reshard does. */
export async function moveSlot(cluster: RedisClusterUnderTest, key: string, { from, to }: { readonly from: number; readonly to: number }): Promise<void> {
  const { servers, operators } = cluster
  const slot = slotOf(key)
  const ids = await Promise.all(operators.map(async (operator) => (await operator('CLUSTER', 'MYID'))))
  await operators[to]!('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from]!)
  await operators[from]!('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to]!)
  const keys = (await operators[from]!('CLUSTER', 'GETKEYSINSLOT', slot, 1_000)).split('\n')
  if (keys[0] !== '') await operators[from]!('MIGRATE', servers[to]!.host, servers[to]!.port, '', 0, 5_000, 'KEYS', ...keys)
  for (const operator of operators) await operator('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to]!)
}

/** Waits until a primary has a replica that has everything. */
export async function replicaFollows(primary: Operator): Promise<void> {
  while (!(await primary('INFO', 'replication')).includes('state=online')) await pause(20)
  while (await primary('WAIT', 1, 200) !== '1') await pause(20)
}

export type SentinelsUnderTest = { readonly primary: RedisServer; readonly replica: RedisServer | null; readonly sentinel: RedisServer; readonly url: string }

/** One primary, one Sentinel that decides alone, and a replica where asked for. */
export async function startSentinels({ withReplica }: { readonly withReplica: boolean }): Promise<SentinelsUnderTest> {
  const primary = await startRedis()
  const replica = withReplica ? await startRedis({ config: { replicaof: `${primary.host} ${primary.port}` } }) : null
  const folder = temporaryFolder()
  writeFileSync(`${folder}/sentinel.conf`, [
    `sentinel monitor ${SENTINEL_NAME} ${primary.host} ${primary.port} 1`, `sentinel down-after-milliseconds ${SENTINEL_NAME} 1000`,
    `sentinel failover-timeout ${SENTINEL_NAME} 3000`, ''
  ].join('\n'))
  const sentinel = await startRedis({ folder, args: [`${folder}/sentinel.conf`, '--sentinel'] })
  if (replica !== null) await replicaFollows(await operatorOf(primary))
  return { primary, replica, sentinel, url: `redis+sentinel://${sentinel.host}:${sentinel.port}/${SENTINEL_NAME}` }
}

/** A server that speaks TLS only, with a certificate of an authority of its own. */
export async function startTlsRedis(): Promise<{ readonly server: RedisServer; readonly url: string; readonly caFile: string }> {
  const folder = temporaryFolder()
  const openssl = (...args: string[]): void => { execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' }) }
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test authority', '-keyout', 'ca.key', '-out', 'ca.crt')
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'server.csr')
  writeFileSync(`${folder}/names`, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  openssl('x509', '-req', '-days', '2', '-in', 'server.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-out', 'server.crt')
  const server = await startRedis({ folder, tls: true, config: {
    'tls-cert-file': `${folder}/server.crt`, 'tls-key-file': `${folder}/server.key`, 'tls-ca-cert-file': `${folder}/ca.crt`, 'tls-auth-clients': 'no'
  } })
  return { server, url: `rediss://localhost:${server.port}`, caFile: `${folder}/ca.crt` }
}
