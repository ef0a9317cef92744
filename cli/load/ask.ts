/** The few questions of a load, asked by the raw client. */
import { UUID_ZERO } from '#shared/binary/uuid.ts'
import { API } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR, kafkaErrorName } from '#shared/wire/error-codes.ts'
import { decodeResponseFrame, encodeRequestFrame } from '#shared/wire/framing.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { CLIENT_ID } from './batch.ts'
import { type Place, RawClient } from './raw-client.ts'

const ADMIN_TIMEOUT_MS = 60_000
const CONNECTIONS_PER_GATEWAY = 6
const CREATE_VERSION = 5
const DELETE_VERSION = 4
const METADATA_VERSION = 9

/** @throws ZonewiseError REQUEST_REFUSED */
export async function createTopic(place: Place, name: string, numPartitions: number): Promise<void> {
  const topics = [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }]
  const frames = encodeRequestFrame(API.createTopics, head(CREATE_VERSION), {
    topics, timeoutMs: ADMIN_TIMEOUT_MS, validateOnly: false
  })
  const { body } = decodeResponseFrame(API.createTopics, CREATE_VERSION, await askOnce(place, frames))
  const code = body.topics[0]?.errorCode ?? KAFKA_ERROR.UNKNOWN_SERVER_ERROR
  if (code === 0) return
  throw new ZonewiseError('REQUEST_REFUSED', 'the topic was not created', { topic: name, reason: kafkaErrorName(code) })
}

export async function deleteTopic(place: Place, name: string): Promise<void> {
  const frames = encodeRequestFrame(API.deleteTopics, head(DELETE_VERSION), {
    topics: [], topicNames: [name], timeoutMs: ADMIN_TIMEOUT_MS
  })
  await askOnce(place, frames)
}

export type Seen = { readonly zone: string | null; readonly gateways: readonly Place[]; readonly partitions: number }

/** What a gateway says of its zone, and of how many partitions of the topic it knows. */
export async function lookAround(place: Place, topic: string): Promise<Seen> {
  const frames = encodeRequestFrame(API.metadata, head(METADATA_VERSION), {
    topics: [{ topicId: UUID_ZERO, name: topic }], allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false
  })
  const { body } = decodeResponseFrame(API.metadata, METADATA_VERSION, await askOnce(place, frames))
  const gateways = body.brokers.map(({ host, port }) => ({ host, port }))
  return { zone: body.brokers[0]?.rack ?? null, gateways, partitions: body.topics[0]?.partitions.length ?? 0 }
}

/** Opens `count` connections to one gateway. */
export function openClients(
  place: Place, count = CONNECTIONS_PER_GATEWAY, onLost?: () => void
): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => RawClient.open(place, onLost)))
}

type Head = { readonly version: number; readonly correlationId: number; readonly clientId: string }

function head(version: number): Head {
  return { version, correlationId: 0, clientId: CLIENT_ID }
}

async function askOnce(place: Place, frames: readonly Uint8Array[]): Promise<Buffer> {
  const lost = Promise.withResolvers<never>()
  const client = await RawClient.open(place, () => {
    lost.reject(new ZonewiseError('CLIENT_FAILED', 'a gateway went away before it answered', { ...place }))
  })
  try {
    return await Promise.race([client.ask(Buffer.concat(frames)), lost.promise])
  } finally {
    client.close()
  }
}
