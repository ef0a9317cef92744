/** A producer at a rate and a consumer of everything in each zone, for so long; what each of them saw. */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { newBatch, newProduceFrame } from './batch.ts'
import { createTopic, deleteTopic, lookAround, openClients } from './ask.ts'
import { Journeys } from './journeys.ts'
import { percentile, produce } from './produce-load.ts'
import type { Place } from './raw-client.ts'
import { Readers } from './readers.ts'

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
}

export type ZoneResult = {
  readonly zone: string
  readonly produced: { readonly bytes: number; readonly batches: number; readonly bytesPerSecond: number }
  readonly ackMs: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly read: { readonly bytes: number; readonly bytesPerSecond: number }
  readonly endToEndMs: { readonly p50: number; readonly p99: number }
  readonly errors: Readonly<Record<string, number>>
}

/** @throws ZonewiseError CLIENT_FAILED: a gateway cannot be reached or went away, or records are missing */
export async function loadZones(options: ZoneLoadOptions): Promise<readonly ZoneResult[]> {
  const { places, topic, partitions } = options
  const lost = Promise.withResolvers<never>()
  lost.promise.catch(() => {}) // told by whoever waits for it
  const onLost = (): void => {
    lost.reject(new ZonewiseError('CLIENT_FAILED', 'a gateway closed a connection of the load'))
  }
  try {
    await createTopic(places[0]!, topic, partitions)
    try {
      return await Promise.race([run(options, onLost), lost.promise])
    } finally {
      await deleteTopic(places[0]!, topic).catch(() => {}) // the load itself is told
    }
  } catch (error) {
    if (error instanceof ZonewiseError) throw error
    const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
    throw new ZonewiseError('CLIENT_FAILED', 'a gateway cannot be reached', { address, port, reason: code }, error)
  }
}

async function run(options: ZoneLoadOptions, onLost: () => void): Promise<readonly ZoneResult[]> {
  const { places, topic, partitions, bytesPerSecond, recordBytes, seconds, signal, consumers = true } = options
  const zones = await Promise.all(places.map((place) => known(place, topic, partitions)))
  const recordCount = Math.max(1, Math.floor(BATCH_BYTES / (recordBytes + RECORD_OVERHEAD_BYTES)))
  const batch = newBatch(recordCount, recordBytes)
  const frames = Array.from({ length: partitions }, (_, partition) => newProduceFrame(topic, [partition], batch))
  const journeys = new Journeys(partitions, recordCount, places.length)
  const readers = await Promise.all((consumers ? places : []).map((place, reader) => Readers.open({
    place, topic, partitions, batchBytes: batch.length, recordCount, onLost,
    onRead: (partition, from, end) => { journeys.onRead(reader, partition, from, end) }
  })))
  const startedMs = performance.now()
  const results = await Promise.all(places.map(async (place) => {
    const clients = await openClients(place, CLIENTS, onLost)
    const result = await produce({
      clients, frames, payloadBytes: batch.length, inFlight: IN_FLIGHT, seconds, onAck: journeys.onAck,
      bytesPerSecond: bytesPerSecond / places.length, ...(signal === undefined ? {} : { signal })
    })
    clients.forEach((client) => { client.close() })
    return result
  }))
  const batches = results.reduce((sum, { requests }) => sum + requests, 0)
  const isRead = (): boolean => readers.every((_, reader) => journeys.batchesRead(reader) >= batches)
  const complete = await until(isRead, READ_MS_MAX)
  const readSeconds = (performance.now() - startedMs) / 1_000
  readers.forEach((one) => { one.close() })
  if (!complete) {
    const least = Math.min(...readers.map((_, reader) => journeys.batchesRead(reader)))
    throw new ZonewiseError('CLIENT_FAILED', 'acknowledged batches were not read in time', { batches, read: least })
  }
  return results.map((result, i): ZoneResult => {
    const { latenciesMs, bytes } = result
    const [p50 = NaN, p99 = NaN] = journeys.percentilesMs(i, [0.5, 0.99])
    const { bytes: bytesRead = 0, errors = 0 } = readers[i] ?? {}
    return {
      zone: zones[i]!,
      produced: { bytes, batches: result.requests, bytesPerSecond: bytes / result.seconds },
      ackMs: { p50: percentile(latenciesMs, 0.5), p99: percentile(latenciesMs, 0.99), max: latenciesMs.at(-1) ?? NaN },
      read: { bytes: bytesRead, bytesPerSecond: bytesRead / readSeconds }, endToEndMs: { p50, p99 },
      errors: { ...result.errors, ...(errors === 0 ? {} : { fetch: errors }) }
    }
  })
}

/** The zone of a gateway, once it knows all of the topic. */
async function known(place: Place, topic: string, partitions: number): Promise<string> {
  let zone: string | null = null
  const isKnown = await until(async () => {
    const seen = await lookAround(place, topic)
    zone = seen.zone
    return seen.partitions === partitions
  }, KNOWN_MS_MAX)
  if (isKnown) return zone ?? `${place.host}:${place.port}`
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
