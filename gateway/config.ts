/** Settings of the gateway role. */
import { bool, choice, defineSettings, int } from '#shared/config/settings.ts'

const KiB = 1_024
const MiB = 1_024 * KiB
const GiB = 1_024 * MiB
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

export const gatewaySettings = defineSettings('GATEWAY', {
  // connections
  socketRequestMaxBytes: int({ unit: 'bytes', default: 100 * MiB, min: KiB, max: GiB, doc: 'Largest request of a client; a longer one closes the connection (Kafka: socket.request.max.bytes).' }),
  connectionsMax: int({ default: 10_000, min: 1, max: 1_000_000, doc: 'Client connections of one gateway; one more is closed at once (Kafka: max.connections).' }),
  connectionsMaxIdleMs: int({ unit: 'ms', default: 10 * MINUTE, min: SECOND, max: 24 * HOUR, doc: 'A connection without a request for so long is closed (Kafka: connections.max.idle.ms).' }),
  connectionRequestsMax: int({ default: 256, min: 1, max: 100_000, doc: 'Requests of one connection in work or waiting; above it the socket is not read.' }),
  connectionInFlightBytesMax: int({ unit: 'bytes', default: 32 * MiB, min: KiB, max: 16 * GiB, doc: 'Request bytes of one connection in work or waiting; above it the socket is not read.' }),
  connectionAnswerBytesMax: int({ unit: 'bytes', default: MiB, min: 1, max: 16 * GiB, doc: 'Answer bytes a slow reader may leave unread before none of its further requests is handled.' }),
  answerBytesMax: int({ unit: 'bytes', default: 32 * MiB, min: MiB, max: 256 * GiB, doc: 'Answer bytes of all connections that are unread or being made; near it fetches get less, above it they wait.' }),
  answerStallMs: int({ unit: 'ms', default: 5 * SECOND, min: 100, max: HOUR, doc: 'A client that has read nothing of an answer for so long loses its connection when room for answers is short.' }),
  inFlightBytesMax: int({ unit: 'bytes', default: 64 * MiB, min: MiB, max: 256 * GiB, doc: 'Request bytes of all connections in work or waiting; above it no socket is read.' }),
  drainMs: int({ unit: 'ms', default: 5 * SECOND, min: 0, max: 10 * MINUTE, doc: 'How long a gateway that stops, while others of its zone serve, answers its clients that they are to go there; more than their heartbeat interval.' }),
  stopDrainMs: int({ unit: 'ms', default: 5 * SECOND, min: 0, max: 10 * MINUTE, doc: 'Longest wait for requests in work when the gateway stops.' }),
  // zones
  misZoned: choice({ choices: ['observe', 're-advertise'], default: 'observe', doc: 'What a client is told whose client.id (zone=ZONE) names another zone than the one it connects to: the gateways it connects to, or those of the zone it names. A zone without a live gateway is served in either case.' }),
  guestsMax: int({ default: 10_000, min: 0, max: 1_000_000, doc: 'Clients of other zones, told apart by address and client.id, that a gateway remembers where the last gateway of theirs stopped: it sends them home once there is one again.' }),
  // requests
  requestPartitionsMax: int({ default: 100_000, min: 1, max: 10_000_000, doc: 'Partitions (and topics, and groups) that one request may name; above it the answer is INVALID_REQUEST or the connection is closed.' }),
  groupForwardTimeoutMs: int({ unit: 'ms', default: 10 * SECOND, min: 100, max: 10 * MINUTE, doc: 'Wait for the coordinator of a group, on top of what the request itself may wait.' }),
  adminForwardTimeoutMs: int({ unit: 'ms', default: 15 * SECOND, min: 100, max: 10 * MINUTE, doc: 'Wait for the leader of the catalog, on top of what the request itself may wait.' }),
  unpackedBytesMax: int({ unit: 'bytes', default: 64 * MiB, min: MiB, max: GiB, doc: 'What a batch may unpack to where a topic\'s configs make its records be looked at (compaction, times); above it MESSAGE_TOO_LARGE.' }),
  producerIdBlock: int({ default: 1_000, min: 1, max: 1_000_000, doc: 'Producer ids fetched from the catalog at once.' }),
  // ingest
  lingerMs: int({ unit: 'ms', default: 5, min: 0, max: 10 * SECOND, doc: 'How long a chunk that is not full waits for company (200 ms where --store is a bucket).' }),
  idleLingerMs: int({ unit: 'ms', default: 0, min: 0, max: 10 * SECOND, doc: 'How long the first chunk after idle waits (10 ms where --store is a bucket); 0: for what has arrived with it.' }),
  idleBytesMax: int({ unit: 'bytes', default: 128 * KiB, min: 0, max: GiB, doc: 'A gateway that took more in about the last linger is not idle: its chunks wait for company even if none is being written.' }),
  chunkBytesMax: int({ unit: 'bytes', default: 8 * MiB, min: 64 * KiB, max: 256 * MiB, doc: 'A chunk this full is sealed.' }),
  putsMax: int({ default: 4, min: 1, max: 256, doc: 'Chunks being written at a time; while so many are, the open one grows.' }),
  ingestBytesMax: int({ unit: 'bytes', default: 64 * MiB, min: MiB, max: 64 * GiB, doc: 'Record bytes taken and not decided; above it produce gets REQUEST_TIMED_OUT, which clients retry.' }),
  chunkGiveUpMs: int({ unit: 'ms', default: 15 * SECOND, min: 100, max: 10 * MINUTE, doc: 'How long the PUT of a chunk is repeated before its batches fail with KAFKA_STORAGE_ERROR.' }),
  commitWindow: int({ default: 8, min: 1, max: 8, doc: 'Chunks told to the leader of a shard by one request; no more are ever unanswered.' }),
  commitDeadlineMs: int({ unit: 'ms', default: 10 * SECOND, min: 100, max: 10 * MINUTE, doc: 'Wait for the leader of a shard before the same chunks are sent again.' }),
  logCacheBytesMax: int({ unit: 'bytes', default: 24 * MiB, min: 0, max: 256 * GiB, doc: 'Chunks written last that are kept for readers of this zone.' }),
  fetchBytesMax: int({ unit: 'bytes', default: 16 * MiB, min: KiB, max: GiB, doc: 'Largest answer to a fetch, but for a bigger first batch (Kafka: fetch.max.bytes).' }),
  fetchReadsMax: int({ default: 16, min: 1, max: 10_000, doc: 'Chunks that one fetch reads from the zone\'s cache at a time.' }),
  readDeadlineMs: int({ unit: 'ms', default: 10 * SECOND, min: 100, max: 10 * MINUTE, doc: 'Wait for bytes of a chunk from the zone\'s cache or the store.' }),
  // topics
  autoCreateTopicsEnable: bool({ default: true, doc: 'Whether asking for the metadata of an unknown topic creates it (Kafka: auto.create.topics.enable).' })
})

export type GatewaySettings = ReturnType<typeof gatewaySettings.load>
