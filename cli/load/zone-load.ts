/** A producer at a rate and a consumer of everything in each zone, for so long; what each of them saw. */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { newBatch, newProduceFrame } from './batch.ts'
import { createTopic, deleteTopic, lookAround } from './ask.ts'
import { Journeys } from './journeys.ts'
import { Line } from './line.ts'
import { percentile, produce } from './produce-load.ts'
import type { Place } from './raw-client.ts'
import { Readers } from './readers.ts'
import { ServiceWatch } from './service-watch.ts'

const BATCH_BYTES = 64 * 1_024
const RECORD_OVERHEAD_BYTES = 10 // of a record beside its value, about
const CLIENTS = 2 // connections of a zone's producer
const IN_FLIGHT = 100 // requests of each
const KNOWN_MS_MAX = 30_000
const READ_MS_MAX = 30_000
const POLL_MS = 20

export type ZoneLoadOptions = {
  readonly places: readonly Place[] // a gateway of each zone
  readonly topic: string // new; deleted afterwards
  readonly partitions: number
  readonly bytesPerSecond: number // of all producers together
  readonly recordBytes: number
  readonly seconds: number
  readonly signal?: AbortSignal
  readonly consumers?: boolean // false: nobody reads
  readonly say?: (line: string) => void // what happens meanwhile
}

type Known = { readonly zone: string; readonly others: readonly Place[] }

export type ZoneResult = {
  readonly zone: string
  readonly produced: { readonly bytes: number; readonly batches: number; readonly bytesPerSecond: number }
  readonly ackMs: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly read: { readonly bytes: number; readonly bytesPerSecond: number }
  readonly endToEndMs: { readonly p50: number; readonly p99: number } // until its consumer had what any zone sent
  readonly afterAckMs: { readonly p50: number; readonly p99: number } // the same from the answer on
  readonly awaySeconds: number // from the loss of a gateway until one of its zone acknowledged something
  readonly errors: Readonly<Record<string, number>>
}

/**
 * A gateway that goes away meanwhile is replaced by another of its zone, or by itself when it is back.
 * @throws ZonewiseError CLIENT_FAILED: a gateway cannot be reached at the start, or records are missing
 */
export async function loadZones(options: ZoneLoadOptions): Promise<readonly ZoneResult[]> {
  const { places, topic, partitions } = options
  try {
    await createTopic(places[0]!, topic, partitions)
    const zones: Known[] = []
    try {
      zones.push(...await Promise.all(places.map((place) => known(place, topic, partitions))))
      return await run(options, zones)
    } finally {
      await deleteSomewhere([...places, ...zones.flatMap(({ others }) => others)], topic)
    }
  } catch (error) {
    if (error instanceof ZonewiseError) throw error
    const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
    throw new ZonewiseError('CLIENT_FAILED', 'a gateway cannot be reached', { address, port, reason: code }, error)
  }
}

/** The load itself is told, whatever becomes of its topic. */
async function deleteSomewhere(places: readonly Place[], topic: string): Promise<void> {
  for (const place of places) {
    const isDone = await deleteTopic(place, topic).then(() => true, () => false)
    if (isDone) return
  }
}

async function run(options: ZoneLoadOptions, zones: readonly Known[]): Promise<readonly ZoneResult[]> {
  const { places, topic, partitions, bytesPerSecond, recordBytes, seconds, signal, consumers = true } = options
  const watches = zones.map(({ zone }) => new ServiceWatch(zone, options.say ?? (() => {})))
  const recordCount = Math.max(1, Math.floor(BATCH_BYTES / (recordBytes + RECORD_OVERHEAD_BYTES)))
  const batch = newBatch(recordCount, recordBytes)
  const frames = Array.from({ length: partitions }, (_, partition) => newProduceFrame(topic, [partition], batch))
  const journeys = new Journeys(partitions, recordCount, places.length)
  const readers = await Promise.all((consumers ? places : []).map((place, reader) => Readers.open({
    place, again: zones[reader]!.others, topic, partitions, batchBytes: batch.length, recordCount,
    onRead: (partition, from, end) => { journeys.onRead(reader, partition, from, end) }
  })))
  const startedMs = performance.now()
  const results = await Promise.all(places.map(async (place, i) => {
    const watch = watches[i]!
    const line = (): Promise<Line> => Line.open({
      places: [place, ...zones[i]!.others], onAgain: () => {},
      onLost: (lost, requests) => { watch.lost(lost, requests) }
    })
    const clients = await Promise.all(Array.from({ length: CLIENTS }, line))
    const onAck = (partition: number, baseOffset: number, sentMs: number): void => {
      watch.served()
      journeys.onAck(partition, baseOffset, sentMs)
    }
    const result = await produce({
      clients, frames, payloadBytes: batch.length, inFlight: IN_FLIGHT, seconds, onAck,
      bytesPerSecond: bytesPerSecond / places.length, ...(signal === undefined ? {} : { signal })
    })
    clients.forEach((client) => { client.close() })
    return result
  }))
  const batches = results.reduce((sum, { requests }) => sum + requests, 0)
  const isRead = (): boolean => readers.every((_, reader) => journeys.batchesRead(reader) >= batches)
  const complete = await until(isRead, READ_MS_MAX)
  const readSeconds = (performance.now() - startedMs) / 1_000
  const areServed = readers.every(({ isOpen }) => isOpen)
  readers.forEach((one) => { one.close() })
  if (!complete && areServed) {
    const least = Math.min(...readers.map((_, reader) => journeys.batchesRead(reader)))
    throw new ZonewiseError('CLIENT_FAILED', 'acknowledged batches were not read in time', { batches, read: least })
  }
  return results.map((result, i): ZoneResult => {
    const { latenciesMs, bytes } = result
    const [p50 = NaN, p99 = NaN] = journeys.percentilesMs(i, [0.5, 0.99])
    const [seenP50 = NaN, seenP99 = NaN] = journeys.afterAckMs(i, [0.5, 0.99])
    const { bytes: bytesRead = 0, errors = 0 } = readers[i] ?? {}
    const { lostRequests, awaySeconds } = watches[i]!
    const unread = consumers ? Math.max(0, batches - journeys.batchesRead(i)) : 0
    const counts = { ...result.errors, fetch: errors, 'sent and not answered': lostRequests, 'not read': unread }
    return {
      zone: zones[i]!.zone,
      produced: { bytes, batches: result.requests, bytesPerSecond: bytes / result.seconds },
      ackMs: { p50: percentile(latenciesMs, 0.5), p99: percentile(latenciesMs, 0.99), max: latenciesMs.at(-1) ?? NaN },
      read: { bytes: bytesRead, bytesPerSecond: bytesRead / readSeconds }, endToEndMs: { p50, p99 },
      afterAckMs: { p50: seenP50, p99: seenP99 },
      awaySeconds,
      errors: Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
    }
  })
}

/** The zone of a gateway and the others of it, once it knows all of the topic. */
async function known(place: Place, topic: string, partitions: number): Promise<Known> {
  const { host, port } = place
  let found: Known = { zone: `${host}:${port}`, others: [] }
  const isKnown = await until(async () => {
    const { zone, gateways, partitions: partitionsSeen } = await lookAround(place, topic)
    found = { zone: zone ?? found.zone, others: gateways.filter((other) => other.host !== host || other.port !== port) }
    return partitionsSeen === partitions
  }, KNOWN_MS_MAX)
  if (isKnown) return found
  throw new ZonewiseError('CLIENT_FAILED', 'a gateway does not know the topic', { ...place, topic })
}

async function until(condition: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
  const endMs = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > endMs) return false
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS) })
  }
  return true
}
