/**
 * Configs of a node under Kafka's broker names, for DescribeConfigs: tools read them by name. They are shown, not set:
 * the node's settings decide (docs/config.md), and pass their values in.
 */
import {
  CONFIG_SOURCE, CONFIG_TYPE, TOPIC_CONFIGS, type ConfigRow, type ConfigType, type DescribedConfig
} from './topic-configs.ts'

type BrokerRow = { readonly type: ConfigType; readonly default: string; readonly doc: string }

const OWN = {
  'advertised.listeners': { type: 'string', default: '', doc: 'What clients are told to connect to.' },
  'auto.create.topics.enable': { type: 'boolean', default: 'true', doc: 'Whether asking for the metadata of an unknown topic creates it.' },
  'broker.id': { type: 'int', default: '-1', doc: 'Id of the node.' },
  'broker.rack': { type: 'string', default: '', doc: 'Zone of the node.' },
  'connections.max.idle.ms': { type: 'long', default: '600000', doc: 'A connection without a request for so long is closed.' },
  'default.replication.factor': { type: 'int', default: '1', doc: 'Replication factor reported for a topic created without one.' },
  'delete.topic.enable': { type: 'boolean', default: 'true', doc: 'Whether topics may be deleted.' },
  'group.initial.rebalance.delay.ms': { type: 'int', default: '3000', doc: 'How long the first rebalance of an empty group waits for more members.' },
  'group.max.session.timeout.ms': { type: 'int', default: '1800000', doc: 'Longest session timeout of a group member.' },
  'group.min.session.timeout.ms': { type: 'int', default: '6000', doc: 'Shortest session timeout of a group member.' },
  'listeners': { type: 'string', default: '', doc: 'What the node listens on.' },
  'max.connections': { type: 'int', default: '2147483647', doc: 'Client connections of one node.' },
  'node.id': { type: 'int', default: '-1', doc: 'Id of the node.' },
  'num.partitions': { type: 'int', default: '1', doc: 'Partitions of a topic created without a number of them.' },
  'offsets.retention.minutes': { type: 'int', default: '10080', doc: 'How long offsets of an empty group are kept.' },
  'socket.request.max.bytes': { type: 'int', default: '104857600', doc: 'Largest request of a client.' }
} as const satisfies Record<string, BrokerRow>

/** The node's configs by name, and the brokers' names of topic configs. */
export const BROKER_CONFIGS: ReadonlyMap<string, BrokerRow> = new Map<string, BrokerRow>([
  ...Object.entries(OWN),
  ...Object.values<ConfigRow>(TOPIC_CONFIGS)
    .flatMap(({ broker, type, default: fallback, doc }): [string, BrokerRow][] =>
    broker === null ? [] : [[broker, { type, default: fallback, doc }]])
].sort(([a], [b]) => (a < b ? -1 : 1)))

/** Every config of a node, by name; `values` are the ones its settings decide, names not in the table are left out. */
export function describeBrokerConfigs(values: Readonly<Record<string, string>>): DescribedConfig[] {
  return [...BROKER_CONFIGS].map(([name, { type, default: fallback, doc }]) => {
    const given = Object.hasOwn(values, name) ? values[name] : undefined
    const value = given ?? fallback
    const source = given === undefined ? CONFIG_SOURCE.default : CONFIG_SOURCE.brokerStatic
    return { name, value, type: CONFIG_TYPE[type], source, readOnly: true, synonyms: [{ name, value, source }], doc }
  })
}
