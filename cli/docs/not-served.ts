/** Requests of Kafka that a gateway does not serve, for docs/protocol.md: what clients cannot do therefore. */
type Missing = { readonly what: string; readonly apis: readonly (readonly [apiKey: number, name: string])[] }

const MISSING: readonly Missing[] = [
  {
    what: 'Transactions: a producer with a transactional id is refused when it begins',
    apis: [
      [24, 'AddPartitionsToTxn'], [25, 'AddOffsetsToTxn'], [26, 'EndTxn'], [28, 'TxnOffsetCommit'],
      [61, 'DescribeProducers'],
      [65, 'DescribeTransactions'], [66, 'ListTransactions']
    ]
  },
  { what: 'Passwords and encryption: listeners speak plain text', apis: [
    [17, 'SaslHandshake'], [36, 'SaslAuthenticate']
  ] },
  { what: 'Access control', apis: [[29, 'DescribeAcls'], [30, 'CreateAcls'], [31, 'DeleteAcls']] },
  { what: 'Changing the configuration of a topic', apis: [[33, 'AlterConfigs'], [44, 'IncrementalAlterConfigs']] },
  { what: 'Deleting records before an offset', apis: [[21, 'DeleteRecords']] },
  { what: 'Deleting committed offsets of a group', apis: [[47, 'OffsetDelete']] },
  { what: 'Groups of the new kinds (KIP-848, share groups)', apis: [
    [68, 'ConsumerGroupHeartbeat'], [76, 'ShareGroupHeartbeat']
  ] },
  { what: 'Quotas', apis: [[48, 'DescribeClientQuotas'], [49, 'AlterClientQuotas']] },
  { what: 'Client metrics and telemetry', apis: [[71, 'GetTelemetrySubscriptions'], [72, 'PushTelemetry']] },
  {
    what: 'What has no meaning without replicas and local disks',
    apis: [
      [34, 'AlterReplicaLogDirs'], [35, 'DescribeLogDirs'], [43, 'ElectLeaders'], [45, 'AlterPartitionReassignments'],
      [46, 'ListPartitionReassignments']
    ]
  }
]

/** A list; what is served by now is left out by itself. */
export function notServedText(served: ReadonlySet<number>): string {
  return MISSING.flatMap(({ what, apis }) => {
    const names = apis.filter(([apiKey]) => !served.has(apiKey)).map(([apiKey, name]) => `${name} (${apiKey})`)
    return names.length === 0 ? [] : [`- ${what}: ${names.join(', ')}.`]
  }).join('\n')
}
