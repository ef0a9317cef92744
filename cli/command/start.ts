/** `zonewise start`: three zones in this process until it is told to stop. */
import { renameSync, writeFileSync } from 'node:fs'
import { MemoryPool } from '#shared/binary/memory-pool.ts'
import { deprecatedUses, unknownEnv } from '#shared/config/settings.ts'
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { isRedisAddress } from '#shared/journal/redis-address.ts'
import type { Log } from '#shared/log/log.ts'
import { Metrics } from '#shared/metrics/metrics.ts'
import { sleep } from '#shared/runtime/runtime.ts'
import type { BrokerSettings } from '#broker/config.ts'
import type { GatewaySettings } from '#gateway/config.ts'
import type { NodeSettings } from '../config.ts'
import { serveHttp } from '../http/http-server.ts'
import { exposeLedger, exposeProcess } from '../metrics.ts'
import { startEmbedded } from '../node/embedded.ts'
import type { Running } from '../node/types.ts'
import { newNodeNetwork } from '../platform/node-network.ts'
import { nodeRuntime } from '../platform/node-runtime.ts'
import { connectionsWithin, requireOpenFiles } from '../platform/open-files.ts'
import { newPinoLog } from '../platform/pino-log.ts'
import { SETTINGS_TABLES } from '../settings-tables.ts'
import { version } from '../version.ts'
import type { Arguments } from './arguments.ts'
import { EXIT, type Terminal } from './command.ts'
import { startInCluster } from './start-cluster.ts'
import { readStartSettings } from './start-settings.ts'

const READY_POLL_MS = 25
const READY_REPORT_MS = 10_000

export async function start(args: Arguments, terminal: Terminal): Promise<number> {
  const { given, sources, settings, parts, listeners, httpAddress } = readStartSettings(args, terminal)
  const openFilesMax = requireOpenFiles()

  const format = settings.logFormat === 'auto' ? (terminal.stderr.isTTY === true ? 'text' : 'json') : settings.logFormat
  const log = newPinoLog({ format, level: settings.logLevel })
  const stopping = watchSignals(terminal, log)
  endOnBug(terminal, log)
  for (const sentence of deprecatedUses(SETTINGS_TABLES, given)) log.warn('a deprecated setting is used', { sentence })
  const unknown = unknownEnv(SETTINGS_TABLES, terminal.env)
  if (unknown.length > 0) log.warn('environment variables that are no settings are ignored', { names: unknown })
  const gateway = withinOpenFiles(openFilesMax, parts, listeners.length, log)
  const startedMs = nodeRuntime.clock.monotonicMs()
  const http = await serveHttp({ ...httpAddress, runtime: nodeRuntime })
  const metrics = new Metrics()
  const memory = new MemoryPool()
  let running: Running
  try {
    const options = {
      data: settings.data, store: settings.store === '' ? undefined : settings.store,
      journal: settings.journal === '' ? undefined : settings.journal, listeners, shards: settings.shards,
      ...parts, gatewaySettings: gateway, memory, env: terminal.env, runtime: nodeRuntime,
      network: newNodeNetwork(), log, metrics,
      onFatal: endOnFatal(terminal, log)
    }
    running = isRedisAddress(settings.journal)
      ? await startInCluster({ ...options, journal: settings.journal }, { sources, http, httpAddress, stopping: stopping.signal })
      : await startEmbedded(options)
  } catch (error) {
    await http.close()
    if (stopping.signal.aborted) return EXIT.ok
    throw error
  }
  exposeLedger(metrics, () => running.ledger())
  exposeProcess(metrics)
  http.attach(running)
  let code: number
  try {
    if (await untilServing(running, log, stopping.signal)) {
      const httpEndpoint = { host: httpAddress.host, port: http.port }
      if (settings.endpointsFile !== '') writeEndpoints(settings.endpointsFile, running, httpEndpoint)
      const readyMs = Math.round(nodeRuntime.clock.monotonicMs() - startedMs)
      const seen = format === 'text' && terminal.stdout.isTTY === true // the banner says it to whoever looks
      if (!seen) log.info('ready', { version: version(), readyMs, data: settings.data })
      terminal.stdout.write(banner(running, `${httpEndpoint.host}:${httpEndpoint.port}`, settings, readyMs))
      await aborted(stopping.signal)
    }
  } finally {
    code = await stop(running, settings, log)
    await http.close() // until here it keeps the process alive: timers of the runtime do not
    log.flush()
  }
  return code
}

type Parts = { readonly gatewaySettings: GatewaySettings; readonly brokerSettings: BrokerSettings }

/** Fewer connections than set where the limit of open files would not do: store and journal need some too. */
function withinOpenFiles(limit: number | null, parts: Parts, gateways: number, log: Log): GatewaySettings {
  const { gatewaySettings: settings, brokerSettings: { storeFilesOpenMax } } = parts
  const wanted = { connectionsMax: settings.connectionsMax, gateways, storeFilesOpenMax }
  const connectionsMax = connectionsWithin(limit, wanted)
  if (connectionsMax === settings.connectionsMax) return settings
  const facts = { connectionsMax, asSet: settings.connectionsMax, openFilesMax: limit }
  log.info('connections of each gateway are bounded by the limit of open files', facts)
  return { ...settings, connectionsMax }
}

async function stop(running: Running, settings: NodeSettings, log: Log): Promise<number> {
  log.info('stopping')
  const cancelled = new AbortController()
  const inTime = running.stop().then(() => true)
  const tooLate = sleep(nodeRuntime.timer, settings.stopTimeoutMs, cancelled.signal).then(() => false, () => false)
  const stopped = await Promise.race([inTime, tooLate])
  cancelled.abort()
  if (stopped) log.info('stopped')
  else log.error('the stop took too long: the next start replays the journal', { waitedMs: settings.stopTimeoutMs })
  return stopped ? EXIT.ok : EXIT.failed
}

/** The first signal asks for a graceful stop; a second Ctrl-C ends the process at once. */
function watchSignals(terminal: Terminal, log: Log): AbortController {
  const stopping = new AbortController()
  terminal.onSignal((signal) => {
    if (!stopping.signal.aborted) {
      stopping.abort()
      return
    }
    if (signal !== 'SIGINT') return
    log.warn('ended at once by a second Ctrl-C')
    log.flush()
    terminal.exit(EXIT.interrupted)
  })
  return stopping
}

/** A bug must not go on: what is durable is safe, and the next start recovers it. */
function endOnBug(terminal: Terminal, log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error('ended by a bug', { error })
    log.flush()
    terminal.exit(EXIT.failed)
  })
}

/** What cannot be made durable any more is not acknowledged either: another life has to recover it. */
function endOnFatal(terminal: Terminal, log: Log): (error: unknown) => void {
  return (error) => {
    log.error('nothing can be made durable any more: ending', { reason: explain(error) })
    log.flush()
    terminal.exit(EXIT.failed)
  }
}

/**
 * Until all that can come by itself has come; what needs a human is said, and the rest serves.
 * @returns false when a signal came first.
 */
async function untilServing(running: Running, log: Log, stopping: AbortSignal): Promise<boolean> {
  let reportMs = nodeRuntime.clock.monotonicMs() + READY_REPORT_MS
  let reported = ''
  while (!stopping.aborted) {
    const { ready, missing, settled } = await running.ready()
    if (!ready && settled) {
      log.error('started without what is quarantined: restore what is named, then start again', { missing })
    }
    if (ready || settled) return true
    if (nodeRuntime.clock.monotonicMs() >= reportMs && missing.join() !== reported) {
      log.warn('not ready yet', { missing })
      reported = missing.join()
      reportMs = nodeRuntime.clock.monotonicMs() + READY_REPORT_MS
    }
    await sleep(nodeRuntime.timer, READY_POLL_MS, stopping).catch(() => {})
  }
  return false
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => { resolve() }, { once: true })
  })
}

/** Written whole or not at all: who waits for the file may read it as soon as it is there. */
function writeEndpoints(path: string, running: Running, http: { readonly host: string; readonly port: number }): void {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, `${JSON.stringify({ listeners: running.endpoints, http }, null, 2)}\n`)
    renameSync(temporary, path)
  } catch (error) {
    throw new ZonewiseError('SETTING_INVALID', 'the endpoints file cannot be written', { endpointsFile: path }, error)
  }
}

function banner(running: Running, http: string, settings: NodeSettings, readyMs: number): string {
  const { endpoints } = running
  const [first] = endpoints
  const second = endpoints[1] ?? first
  if (first === undefined || second === undefined) return ''
  const address = ({ host, port }: { readonly host: string; readonly port: number }): string => `${host}:${port}`
  const width = Math.max(...endpoints.map(({ zone }) => zone.length))
  return `Zonewise ${version()} is ready after ${readyMs} ms; data in ${settings.data}, health on http://${http}
${endpoints.map((endpoint) => `  ${endpoint.zone.padEnd(width)}  ${address(endpoint)}`).join('\n')}
Try, from another terminal:
  echo hello | npx zonewise produce demo --bootstrap-server ${address(first)}
  npx zonewise consume demo --from-beginning --bootstrap-server ${address(second)}
  npx zonewise ledger --http ${http}
`
}
