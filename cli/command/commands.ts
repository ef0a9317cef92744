/** Every command of `zonewise`. What runs is loaded when it is asked for: `zonewise help` needs no Kafka client. */
import type { FlagSpec } from './arguments.ts'
import type { Command } from './command.ts'

const BOOTSTRAP: FlagSpec = { flag: 'bootstrap-server', value: 'HOST:PORT', doc: 'Where to connect; use the endpoint of your own zone (env ZONEWISE_BOOTSTRAP_SERVER, default 127.0.0.1:19092).' }
const CLIENT_ID: FlagSpec = { flag: 'client-id', value: 'NAME', doc: 'Name of this client in the logs of the server (default zonewise-cli).' }
const HTTP: FlagSpec = { flag: 'http', value: 'HOST:PORT', doc: 'HTTP address of a node (env ZONEWISE_HTTP, default 127.0.0.1:8080).' }
const JSON_OUT: FlagSpec = { flag: 'json', value: null, doc: 'Answer as JSON.' }

const START: readonly FlagSpec[] = [
  { flag: 'listener', value: 'SPEC', many: true, doc: 'zone=ZONE,port=PORT[,host=HOST][,advertised=HOST:PORT][,name=NAME]; repeat it, one a zone. Port 0 takes any free one.' },
  { flag: 'config', value: 'FILE', doc: 'Settings as a JSON object; flags and environment variables come before it.' }
]

const client = { flags: [BOOTSTRAP, CLIENT_ID], settings: false }

export const COMMANDS: readonly Command[] = [
  {
    name: 'start', words: '', wordCount: 0, settings: true,
    summary: 'Runs three zones in this process, on files; or, with --journal redis://, one node of a cluster.',
    flags: START,
    examples: [
      'zonewise start',
      'zonewise start --data /var/lib/zonewise --log-format json',
      'zonewise start --listener zone=use1-az1,host=0.0.0.0,port=9092,advertised=kafka.example.com:9092',
      'zonewise start --listener zone=a,port=0 --listener zone=b,port=0 --endpoints-file endpoints.json',
      'zonewise start --node-id 1 --listener zone=use1-az1,port=9092 --journal redis://10.0.0.9 --store s3://bucket/a'
    ],
    run: async (args, terminal) => (await import('./start.ts')).start(args, terminal)
  },
  {
    ...client, name: 'topic create', words: 'TOPIC', wordCount: 1, summary: 'Creates a topic.',
    flags: [
      { flag: 'partitions', value: 'N', doc: 'Number of partitions (default: what the server says).' },
      { flag: 'replication-factor', value: 'N', doc: 'Stored and reported; the object store replicates by itself.' },
      { flag: 'config', value: 'KEY=VALUE', many: true, doc: 'A configuration of the topic; may be repeated.' },
      ...client.flags
    ],
    examples: ['zonewise topic create orders --partitions 6 --config retention.ms=86400000'],
    run: async (args, terminal) => (await import('./topic.ts')).topicCreate(args, terminal)
  },
  {
    ...client, name: 'topic list', words: '', wordCount: 0, summary: 'Lists the topics.', examples: ['zonewise topic list'],
    run: async (args, terminal) => (await import('./topic.ts')).topicList(args, terminal)
  },
  {
    ...client, name: 'topic describe', words: 'TOPIC', wordCount: 1,
    summary: 'Shows partitions, offsets and configuration of a topic.', examples: ['zonewise topic describe orders'],
    run: async (args, terminal) => (await import('./topic.ts')).topicDescribe(args, terminal)
  },
  {
    ...client, name: 'topic delete', words: 'TOPIC', wordCount: 1, summary: 'Deletes a topic and its records.',
    examples: ['zonewise topic delete orders'],
    run: async (args, terminal) => (await import('./topic.ts')).topicDelete(args, terminal)
  },
  {
    ...client, name: 'produce', words: 'TOPIC', wordCount: 1, summary: 'Sends each line of the standard input as a record.',
    flags: [
      { flag: 'key-separator', value: 'TEXT', doc: 'What separates key and value in a line; without it records have no key.' },
      { flag: 'acks', value: 'all|1|0', doc: 'What to wait for (default all).' },
      ...client.flags
    ],
    examples: ['echo hello | zonewise produce demo', 'zonewise produce orders --key-separator : < orders.txt'],
    run: async (args, terminal) => (await import('./produce.ts')).produce(args, terminal)
  },
  {
    ...client, name: 'consume', words: 'TOPIC', wordCount: 1, summary: 'Writes the value of each record as a line.',
    flags: [
      { flag: 'from-beginning', value: null, doc: 'Start at the oldest record where no offset is committed.' },
      { flag: 'max-messages', value: 'N', doc: 'Stop after so many records.' },
      { flag: 'group', value: 'NAME', doc: 'Consumer group, whose offsets are committed (default: a group of its own, removed afterwards).' },
      { flag: 'partition', value: 'N', doc: 'Read one partition only.' },
      { flag: 'exit-at-end', value: null, doc: 'Stop at the end that the topic had when the command began.' },
      { flag: 'key-separator', value: 'TEXT', doc: 'Write the key and this text before each value.' },
      ...client.flags
    ],
    examples: [
      'zonewise consume demo --from-beginning --bootstrap-server 127.0.0.1:29092',
      'zonewise consume orders --group audit --max-messages 100'
    ],
    run: async (args, terminal) => (await import('./consume.ts')).consume(args, terminal)
  },
  {
    name: 'doctor', words: '', wordCount: 0, settings: true,
    summary: 'Looks at all that a start with the same flags would need (Redis, store, folder, ports, other nodes) and says what is wrong and what to do.',
    flags: [...START, JSON_OUT],
    examples: [
      'zonewise doctor', 'zonewise doctor --data /var/lib/zonewise --json',
      'zonewise doctor --node-id 1 --zone use1-az1 --roles broker --journal redis://10.0.0.9 --store s3://bucket/prefix'
    ],
    run: async (args, terminal) => (await import('./doctor.ts')).doctor(args, terminal)
  },
  {
    name: 'node list', words: '', wordCount: 0, settings: false,
    summary: 'Lists the nodes of the cluster: where they are, what they lead, how busy they are.',
    flags: [HTTP, JSON_OUT], examples: ['zonewise node list', 'zonewise node list --http 10.0.1.7:8080 --json'],
    run: async (args, terminal) => (await import('./node.ts')).nodeList(args, terminal)
  },
  {
    name: 'node drain', words: 'ID', wordCount: 1, settings: false,
    summary: 'Lets a node give away its shards and its clients, and waits until it leads nothing; any node can be asked.',
    flags: [
      HTTP,
      { flag: 'undo', value: null, doc: 'Let the node serve again; so does a restart of it.' },
      { flag: 'timeout', value: 'TIME', doc: 'Longest wait until it leads nothing, as 90s or 5m (default 1m); it goes on draining.' }
    ],
    examples: ['zonewise node drain 2', 'zonewise node drain 2 --undo'],
    run: async (args, terminal) => (await import('./node.ts')).nodeDrain(args, terminal)
  },
  {
    name: 'ledger', words: '', wordCount: 0, settings: false, summary: 'Shows the bytes between zones, by cause, and which of them are payload.',
    flags: [
      HTTP, JSON_OUT,
      { flag: 'watch', value: null, doc: 'Show it again and again, in place, with bytes a second beside the totals.' },
      { flag: 'interval', value: 'TIME', doc: 'How often, as 500ms or 5s (default 2s).' }
    ],
    examples: ['zonewise ledger', 'zonewise ledger --watch --interval 1s', 'zonewise ledger --json'],
    run: async (args, terminal) => (await import('./ledger.ts')).ledger(args, terminal)
  },
  {
    name: 'bench', words: '', wordCount: 0, settings: false,
    summary: 'Loads a running cluster from every zone and shows rates, latencies and errors.',
    flags: [
      { flag: 'bootstrap-server', value: 'HOST:PORT,...', doc: 'A gateway of each zone (env ZONEWISE_BOOTSTRAP_SERVER): a producer and a consumer of everything for each. Without it, the node at --http is asked for them.' },
      HTTP,
      { flag: 'rate', value: 'BYTES', doc: 'Bytes a second of all producers together (default 10485760).' },
      { flag: 'record-bytes', value: 'N', doc: 'Size of a record; batches have about 64 KiB (default 1024).' },
      { flag: 'partitions', value: 'N', doc: 'Partitions of the topic, which is made for it and deleted afterwards (default 6).' },
      { flag: 'seconds', value: 'N', doc: 'How long (default 30); Ctrl-C ends it before.' },
      JSON_OUT
    ],
    examples: [
      'zonewise bench --seconds 10',
      'zonewise bench --http 10.0.1.7:8080 --partitions 24',
      'zonewise bench --rate 52428800 --bootstrap-server 10.0.1.7:9092,10.0.2.7:9092 --json'
    ],
    run: async (args, terminal) => (await import('./bench.ts')).bench(args, terminal)
  }
]
