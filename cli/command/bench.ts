/** `zonewise bench`: a producer and a consumer in each zone of a running cluster, and how fast each of them was. */
import { randomBytes } from 'node:crypto'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { Place } from '../load/raw-client.ts'
import { loadZones, type ZoneResult } from '../load/zone-load.ts'
import { type Arguments, splitHostPort, wholeFlag } from './arguments.ts'
import { EXIT, type Terminal } from './command.ts'
import { httpAddress } from './http-client.ts'
import { askNodes } from './node.ts'
import { bytesText, textTable } from './text-table.ts'

const MIB = 2 ** 20
const DEFAULTS = { rate: 10 * MIB, recordBytes: 1_024, seconds: 30, partitions: 6 } as const
const LIMITS = {
  rate: { min: 1, max: 1_024 * MIB }, recordBytes: { min: 1, max: 900_000 }, seconds: { min: 1, max: 3_600 },
  partitions: { min: 1, max: 256 }
} as const

export async function bench(args: Arguments, terminal: Terminal): Promise<number> {
  const servers = args.flags.get('bootstrap-server') ?? terminal.env['ZONEWISE_BOOTSTRAP_SERVER']
  const places = placesOf(servers?.split(',') ?? await findGateways(httpAddress(args, terminal)))
  const bytesPerSecond = wholeFlag(args, 'rate', LIMITS.rate) ?? DEFAULTS.rate
  const recordBytes = wholeFlag(args, 'record-bytes', LIMITS.recordBytes) ?? DEFAULTS.recordBytes
  const seconds = wholeFlag(args, 'seconds', LIMITS.seconds) ?? DEFAULTS.seconds
  const partitions = wholeFlag(args, 'partitions', LIMITS.partitions) ?? DEFAULTS.partitions
  const topic = `zonewise-bench-${randomBytes(4).toString('hex')}`
  const ending = new AbortController()
  const off = terminal.onSignal(() => { ending.abort() }) // what was measured until then is told
  const rate = `${bytesText(bytesPerSecond)} a second in all`
  terminal.stderr.write(`${rate}, records of ${recordBytes} bytes, ${partitions} partitions, ${seconds} s\n`)
  try {
    const zones = await loadZones({
      places, topic, partitions, bytesPerSecond, recordBytes, seconds, signal: ending.signal,
      say: (line) => { terminal.stderr.write(`${line}\n`) }
    })
    const json = { bytesPerSecond, recordBytes, seconds, partitions, zones }
    terminal.stdout.write(args.flags.has('json') ? `${JSON.stringify(json, null, 2)}\n` : benchText(zones))
    return zones.every(({ errors }) => Object.keys(errors).length === 0) ? EXIT.ok : EXIT.failed
  } finally {
    off()
  }
}

/** @throws ZonewiseError ARGUMENT_INVALID */
function placesOf(servers: readonly string[]): Place[] {
  return servers.map((server) => {
    const place = splitHostPort(server)
    if (place !== null) return place
    throw new ZonewiseError('ARGUMENT_INVALID', 'a bootstrap server is not HOST:PORT', { server: `"${server}"` })
  })
}

/** One gateway of each zone that has some, in the order of zones. */
async function findGateways(http: string): Promise<string[]> {
  const byZone = new Map<string, string>()
  for (const { zone, state, kafka: [server] } of await askNodes(http))
    if (state === 'serving' && server !== undefined && !byZone.has(zone)) byZone.set(zone, server)
  if (byZone.size === 0) throw new ZonewiseError('CLIENT_FAILED', 'no gateway serves clients', { http })
  return [...byZone].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, server]) => server)
}

function benchText(zones: readonly ZoneResult[]): string {
  const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`
  const perSecond = (bytes: number): string => `${bytesText(Math.round(bytes))}/s`
  const rows = zones.map(({ zone, produced, ackMs, read, endToEndMs, awaySeconds, errors }) => [
    zone, perSecond(produced.bytesPerSecond), ms(ackMs.p50), ms(ackMs.p99), perSecond(read.bytesPerSecond),
    ms(endToEndMs.p50), ms(endToEndMs.p99),
    `${awaySeconds.toFixed(1)} s`, String(Object.values(errors).reduce((sum, count) => sum + count, 0))
  ])
  const head =
    ['zone', 'produced', 'ack p50', 'ack p99', 'read', 'end to end p50', 'end to end p99', 'no service', 'errors']
  const lines = zones.flatMap(({ zone, errors }) =>
    Object.entries(errors).map(([name, count]) => `${zone}: ${name} ${count} times`))
  return `${[textTable([head, ...rows]), ...lines].join('\n')}\n`
}
