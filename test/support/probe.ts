/** A client for tests of a running server: one batch in, what is there out, with the codes that a client is told. */
import { newNodeNetwork } from '#cli/platform/node-network.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { API } from '#shared/wire/api-registry.ts'
import { KAFKA_ERROR, kafkaErrorName } from '#shared/wire/error-codes.ts'
import { Connection } from '#test/simulation/client/connection.ts'
import { decodeBatches, encodeBatch, NOBODY } from '#test/simulation/client/record-batch.ts'

const CONNECT_MS = 10_000
const CALL_MS = 40_000
const BYTES_MAX = 50_000_000

export type ProduceOptions = { readonly padding?: number; readonly timeoutMs?: number }
export type Produced = { readonly error: string; readonly baseOffset: number }
export type Fetched = { readonly error: string; readonly records: readonly string[] } // `producer:counter`

export class Probe {
  readonly #connection: Connection

  private constructor(connection: Connection) {
    this.#connection = connection
  }

  /** `address` is `host:port`. */
  static async open(address: string): Promise<Probe> {
    const [host, port] = address.split(':') as [string, string]
    const connection = new Connection(nodeRuntime.timer, 'probe', (what) => { throw new Error(what) })
    const probe = new Probe(connection)
    await connection.open(newNodeNetwork(), { host, port: Number(port) }, CONNECT_MS)
    return probe
  }

  /** @throws Error naming the code. */
  async createTopic(name: string, numPartitions: number, timeoutMs = 20_000): Promise<void> {
    const { topics } = await this.#connection.call(API.createTopics, 4, {
      topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs, validateOnly: false
    }, CALL_MS)
    const code = topics[0]!.errorCode
    if (code !== 0 && code !== KAFKA_ERROR.TOPIC_ALREADY_EXISTS) throw new Error(`topic not created: ${nameOf(code)}`)
  }

  /** One record `producer:counter`, padded by `padding` bytes. */
  async produce(topic: string, partition: number, counter: number, options: ProduceOptions = {}): Promise<Produced> {
    const { padding = 20, timeoutMs = 30_000 } = options
    const records = encodeBatch([{ producer: `p${partition}`, counter }], NOBODY, Date.now(), padding)
    const { responses } = await this.#connection.call(API.produce, 8, {
      transactionalId: null, acks: -1, timeoutMs,
      topicData: [{ name: topic, partitionData: [{ index: partition, records }] }]
    }, CALL_MS)
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
    return { error: nameOf(errorCode), baseOffset }
  }

  /** What one fetch from `offset` gives; it does not wait for more. */
  async fetch(topic: string, partition: number, offset = 0, maxWaitMs = 0): Promise<Fetched> {
    const { responses } = await this.#connection.call(API.fetch, 11, {
      clusterId: null, replicaId: -1, maxWaitMs, minBytes: 1, maxBytes: BYTES_MAX, isolationLevel: 0,
      sessionId: 0, sessionEpoch: -1, topics: [{ topic, partitions: [{
        partition, currentLeaderEpoch: -1, fetchOffset: offset, lastFetchedEpoch: -1, logStartOffset: -1,
        partitionMaxBytes: BYTES_MAX
      }] }],
      forgottenTopicsData: [], rackId: ''
    }, CALL_MS)
    const { errorCode, records } = responses[0]!.partitions[0]!
    const bytes = records instanceof Uint8Array ? records : Buffer.concat((records ?? []) as readonly Uint8Array[])
    const found = decodeBatches(bytes).map(({ record }) => `${record.producer}:${record.counter}`)
    return { error: nameOf(errorCode), records: found }
  }

  close(): void {
    this.#connection.close()
  }
}

function nameOf(code: number): string {
  return kafkaErrorName(code) ?? String(code)
}
