/**
 * `npm run cluster` and `npm run cluster:zones`: a whole cluster on one machine, for trying it, until Ctrl-C. What a
 * part says that is worth a look is shown; all the rest is in the log files.
 */
import { parseArguments, wholeFlag, type FlagSpec } from '#cli/command/arguments.ts'
import { EXIT } from '#cli/command/command.ts'
import { newProcessTerminal } from '#cli/platform/process-terminal.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { clusterHelp, clusterText } from './cluster-text.ts'
import { planCluster, PORT_COUNT, ZONES } from './cluster-plan.ts'
import { LocalCluster, type LocalClusterOptions } from './local-cluster.ts'
import { requireRedis } from './redis-server.ts'
import { requireS3Server } from './s3-binary.ts'
import { HERE } from './within.ts'

const LOCALHOST = '127.0.0.1'
const DATA_DEFAULT = './zonewise-cluster'
const PORT_MAX = 65_535

const FLAGS: readonly FlagSpec[] = [
  {
    flag: 'data', value: 'DIR', doc: `Folder of everything (default ${DATA_DEFAULT}); the next start goes on with it.`
  },
  { flag: 'ports-from', value: 'N', doc: `Takes the ${PORT_COUNT} ports from N on instead of the usual ones.` },
  { flag: 'help', value: null, doc: 'Shows this help.' }
]

const terminal = newProcessTerminal({ outlivesReader: true })
const say = (line: string): void => { terminal.stdout.write(`${line}\n`) }
const complain = (line: string): void => { terminal.stderr.write(`${line}\n`) }

process.exit(await main())

async function main(): Promise<number> {
  const ending = Promise.withResolvers<number>()
  let cluster: LocalCluster | null = null
  let stopping = false
  terminal.onSignal((signal) => {
    if (stopping && signal === 'SIGINT') terminal.exit(EXIT.interrupted) // the second Ctrl-C; children end with us
    if (!stopping) say('stopping')
    stopping = true
    if (cluster === null) terminal.exit(EXIT.ok)
    ending.resolve(EXIT.ok)
  })
  const onEnd: LocalClusterOptions['onEnd'] = (part, how) => {
    if (cluster === null) return // the start tells it
    complain(`${part} ended by itself (${how}): the rest is stopped; its log is in the data folder`)
    ending.resolve(EXIT.failed)
  }
  try {
    const args = parseArguments(process.argv.slice(2), FLAGS)
    if (args.flags.has('help')) {
      say(clusterHelp(FLAGS))
      return EXIT.ok
    }
    if (!requireTools()) return EXIT.failed
    const portsFrom = wholeFlag(args, 'ports-from', { min: 1, max: PORT_MAX + 1 - PORT_COUNT })
    const data = args.flags.get('data') ?? DATA_DEFAULT
    const startedMs = performance.now()
    const plan = planCluster({ zones: ZONES.map(() => LOCALHOST), redis: LOCALHOST, s3: LOCALHOST }, portsFrom)
    cluster = await LocalCluster.start({
      plan, data, env: terminal.env, within: () => HERE, portsAreOurs: false, say, onEnd
    })
    say(clusterText(plan, data, performance.now() - startedMs))
  } catch (error) {
    complain(error instanceof ZonewiseError ? explain(error) : (error as Error).stack ?? String(error))
    return EXIT.failed
  }
  const code = await ending.promise
  if (code === EXIT.ok) await cluster.stop()
  else await cluster.kill()
  say('all of it has ended')
  return code
}

/** A sentence for each program that is missing. */
function requireTools(): boolean {
  let complete = true
  for (const require of [requireRedis, requireS3Server]) {
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
