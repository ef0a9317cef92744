/** What is wrong with a Redis that is to keep journals, judged by what it says of itself: each with cause and cure. */

/** null: the server does not say. */
export type RedisFacts = {
  readonly server: string // host:port, for sentences
  readonly version: string | null
  readonly role: string | null // 'master' or 'slave'
  readonly replicaCount: number
  readonly isCluster: boolean
  readonly sentinelCount: number // that watch it
  readonly isLogWritten: boolean | null // the newest write to its log of commands succeeded
  readonly memoryMax: number | null // bytes; 0: as much as there is
  readonly evictionPolicy: string | null
  readonly appendOnly: string | null
  readonly appendFsync: string | null
  readonly noFsyncOnRewrite: string | null
}

/**
 * checked: the server itself must say that it keeps what it acknowledged. managed: the operator says that its service
 * does (MemoryDB, ElastiCache with durability "sync"), so that persistence and failover are not looked at.
 */
export type DeclaredDurability = 'checked' | 'managed'

export type DurabilityFinding = {
  /** refuse: a node must not start on it. advise: it may, but an operator should know. */
  readonly kind: 'refuse' | 'advise'
  readonly setting: string // of Redis, or a word for what it is about
  readonly sentence: string
}

/** Below it there is no XADD NOMKSTREAM and no XTRIM MINID. */
const VERSION_MIN = [6, 2] as const
const DECLARE = 'say --journal-durability managed'

export function judgeRedis(facts: RedisFacts, declared: DeclaredDurability): DurabilityFinding[] {
  const own = [...judgeServer(facts), ...judgeMemory(facts)]
  return declared === 'managed' ? own : [...own, ...judgePersistence(facts), ...judgeFailover(facts)]
}

function judgeServer({ server, version, role }: RedisFacts): DurabilityFinding[] {
  const findings: DurabilityFinding[] = []
  if (version === null) {
    findings.push(refuse('INFO', server,
      'does not say what it is, because its user may not run INFO',
      'allow it (ACL +info)'))
  } else if (isBelow(version)) {
    findings.push(refuse('version', server,
      `runs Redis ${version}, which cannot append without making a stream that is missing`,
      `upgrade it to ${VERSION_MIN.join('.')} or newer`))
  }
  if (role === 'slave') {
    findings.push(refuse('role', server,
      'is a replica, which refuses writes and may lag in reads',
      'give --journal the address of its primary'))
  }
  return findings
}

function judgeMemory({ server, evictionPolicy, memoryMax }: RedisFacts): DurabilityFinding[] {
  const findings: DurabilityFinding[] = []
  if (evictionPolicy !== null && evictionPolicy !== 'noeviction') {
    findings.push(refuse('maxmemory-policy', server,
      `drops keys when its memory is full (maxmemory-policy ${evictionPolicy}), and with them journals or leases`,
      'set maxmemory-policy noeviction'))
  }
  if (memoryMax === 0) {
    findings.push({ ...refuse('maxmemory', server,
      'has no bound of its memory, so the system ends it when the machine has none left',
      'set maxmemory, then a full Redis costs retriable errors only'), kind: 'advise' })
  }
  return findings
}

function judgePersistence(facts: RedisFacts): DurabilityFinding[] {
  const { server, isLogWritten, appendOnly, appendFsync, noFsyncOnRewrite } = facts
  if (appendOnly === null || appendFsync === null || noFsyncOnRewrite === null) {
    return [refuse('CONFIG', server,
      'does not let itself be asked how it keeps data (CONFIG is refused)',
      `if its service never loses what it acknowledged (MemoryDB, ElastiCache with durability "sync"), ${DECLARE}`)]
  }
  if (appendOnly !== 'yes') {
    return [refuse('appendonly', server,
      `keeps no log of its commands (appendonly ${appendOnly}), so every restart loses acknowledged records`,
      'set appendonly yes and appendfsync always')]
  }
  const findings: DurabilityFinding[] = []
  if (appendFsync !== 'always') {
    const lost = appendFsync === 'everysec' ? 'the last two seconds' : 'the last half a minute'
    findings.push(refuse('appendfsync', server,
      `acknowledges before its log is on the disk (appendfsync ${appendFsync}), so a crash of the machine loses ` +
        `${lost} of acknowledged records`,
      'set appendfsync always'))
  }
  if (noFsyncOnRewrite !== 'no') {
    findings.push(refuse('no-appendfsync-on-rewrite', server,
      `does not sync its log while it rewrites it (no-appendfsync-on-rewrite ${noFsyncOnRewrite}), so a crash then ` +
        'loses acknowledged records',
      'set no-appendfsync-on-rewrite no'))
  }
  if (isLogWritten === false) {
    findings.push(refuse('aof_last_write_status', server,
      'could not write its log of commands the last time',
      'look at its disk, and at what redis-server says'))
  }
  return findings
}

function judgeFailover({ server, replicaCount, isCluster, sentinelCount }: RedisFacts): DurabilityFinding[] {
  if (replicaCount === 0 || (!isCluster && sentinelCount === 0)) return []
  const replicas = replicaCount === 1 ? 'a replica' : `${replicaCount} replicas`
  return [refuse('failover', server,
    `has ${replicas}, of which ${isCluster ? 'its Redis Cluster' : 'its Sentinels'} would promote one on failure, ` +
      'although it may lack acknowledged records',
    `run it without replicas, or use a service whose failover loses nothing and ${DECLARE}`)]
}

function isBelow(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])
}

function refuse(setting: string, server: string, cause: string, cure: string): DurabilityFinding {
  return { kind: 'refuse', setting, sentence: `${server} ${cause}: ${cure}.` }
}
