/** What every node knows of the catalog: its view of the catalog shard, read only. */
export type TopicInfo = {
  readonly topicId: string // Kafka's 22 base64url characters
  readonly name: string
  readonly partitionCount: number
  readonly replicationFactor: number // as asked for; storage replicates by itself
  readonly configs: Readonly<Record<string, string>> // overrides only
  /** creating: Metadata says LEADER_NOT_AVAILABLE; deleting: as if it did not exist. */
  readonly state: 'creating' | 'ready' | 'deleting'
  /** Partitions from here on are being created (CreatePartitions); equal to partitionCount when there are none. */
  readonly readyPartitionCount: number
  /** When it took the name of a topic deleted not long before, whose producers may still be at work (ms); or null. */
  readonly replacedMs: number | null
}

export type CatalogReader = {
  topicByName(name: string): TopicInfo | null // never a deleting one
  topicById(topicId: string): TopicInfo | null
  topics(): readonly TopicInfo[] // by name, without deleting ones
  /** Resolves when the view has reached the journal's end, asked for after the call. @throws ZonewiseError */
  barrier(): Promise<void>
  /** When the block that holds `producerId` was given out (ms), or null: never. */
  producerIdIssuedMs(producerId: number): number | null
  /** The final `cluster.version` (cluster-version.ts); 1 until the cluster says another. */
  clusterVersion(): number
  /** Calls `fn` after each change; returns the way to stop. */
  watch(fn: () => void): () => void
}
