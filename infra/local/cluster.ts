/**
 * `npm run cluster` and `npm run cluster:zones`: a whole cluster on one machine, for trying it, until Ctrl-C. What a
 * part says that is worth a look is shown; all the rest is in the log files.
 */
import { type Arguments, parseArguments, wholeFlag, type FlagSpec } from '#cli/command/arguments.ts'
import { EXIT } from '#cli/command/command.ts'
import { newProcessTerminal } from '#cli/platform/process-terminal.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { planCluster, PORT_COUNT, ZONES } from './cluster-plan.ts'
import { clusterHelp, clusterText, zonesText } from './cluster-text.ts'
import { LocalCluster, type LocalClusterOptions } from './local-cluster.ts'
import { requireRedis } from './redis-server.ts'
import { requireS3Server } from './s3-binary.ts'
import { TrafficReport } from './traffic-report.ts'
import { HERE } from './within.ts'
import { ZoneNet } from './zone-net.ts'
import { ZonedCluster } from './zoned-cluster.ts'

const LOCALHOST = '127.0.0.1'
const DATA_DEFAULT = './zonewise-cluster'
const PORT_MAX = 65_535

const FLAGS: readonly FlagSpec[] = [
  {
    flag: 'data', value: 'DIR', doc: `Folder of everything (default ${DATA_DEFAULT}); the next start goes on with it.`
  },
  { flag: 'ports-from', value: 'N', doc: `Takes the ${PORT_COUNT} ports from N on instead of the usual ones.` },
  {
    flag: 'zones', value: null,
    doc: 'Puts each zone, and the S3 server, into a network namespace of its own (npm run cluster:zones).'
  },
  { flag: 'help', value: null, doc: 'Shows this help.' }
]

/** Either kind, as the end sees it. */
type Started = { stop(): Promise<void>; kill(): Promise<void> }
type Common = Pick<LocalClusterOptions, 'data' | 'env' | 'say' | 'onEnd'>

const terminal = newProcessTerminal({ outlivesReader: true })
const say = (line: string): void => { terminal.stdout.write(`${line}\n`) }
const complain = (line: string): void => { terminal.stderr.write(`${line}\n`) }

process.exit(await main())

async function main(): Promise<number> {
  const ending = Promise.withResolvers<number>()
  let started: Started | null = null
  let stopping = false
  terminal.onSignal((signal) => {
    if (stopping && signal === 'SIGINT') terminal.exit(EXIT.interrupted) // the second Ctrl-C; children end with us
    if (!stopping) say('stopping')
    stopping = true
    if (started === null) terminal.exit(EXIT.ok)
    ending.resolve(EXIT.ok)
  })
  const onEnd: LocalClusterOptions['onEnd'] = (part, how) => {
    if (started === null) return // the start tells it
    complain(`${part} ended by itself (${how}): the rest is stopped; its log is in the data folder`)
    ending.resolve(EXIT.failed)
  }
  try {
    const args = parseArguments(process.argv.slice(2), FLAGS)
    if (args.flags.has('help')) {
      say(clusterHelp(FLAGS))
      return EXIT.ok
    }
    if (!requireTools(args.flags.has('zones'))) return EXIT.failed
    const common = { data: args.flags.get('data') ?? DATA_DEFAULT, env: terminal.env, say, onEnd }
    started = await (args.flags.has('zones') ? startZoned(common) : startHere(common, args))
  } catch (error) {
    complain(error instanceof ZonewiseError ? explain(error) : (error as Error).stack ?? String(error))
    return EXIT.failed
  }
  const code = await ending.promise
  if (code === EXIT.ok) await started.stop()
  else await started.kill()
  say('all of it has ended')
  return code
}

async function startHere(common: Common, args: Arguments): Promise<Started> {
  const portsFrom = wholeFlag(args, 'ports-from', { min: 1, max: PORT_MAX + 1 - PORT_COUNT })
  const startedMs = performance.now()
  const plan = planCluster({ zones: ZONES.map(() => LOCALHOST), redis: LOCALHOST, s3: LOCALHOST }, portsFrom)
  const cluster = await LocalCluster.start({ ...common, plan, within: () => HERE, portsAreOurs: false })
  say(clusterText(plan, common.data, performance.now() - startedMs))
  return cluster
}

async function startZoned(common: Common): Promise<Started> {
  const startedMs = performance.now()
  const zoned = await ZonedCluster.start(common)
  const { net, cluster: { plan } } = zoned
  say(clusterText(plan, common.data, performance.now() - startedMs))
  say(zonesText(plan, net.hosts))
  const report = new TrafficReport(zoned, say)
  const andReport = (end: () => Promise<void>) => async (): Promise<void> => {
    report.stop()
    await end()
  }
  return { stop: andReport(() => zoned.stop()), kill: andReport(() => zoned.kill()) }
}

/** A sentence for each program that is missing. */
function requireTools(zones: boolean): boolean {
  let complete = true
  for (const require of [requireRedis, requireS3Server, ...(zones ? [(): void => { ZoneNet.require() }] : [])]) {
    try {
      require(terminal.env)
    } catch (error) {
      if (!(error instanceof ZonewiseError)) throw error
      complain(explain(error))
      complete = false
    }
  }
  return complete
}
