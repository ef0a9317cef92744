/**
 * Every operating error that Zonewise names. A code is never reused. `docs/errors.md` is generated from this table.
 * retriable: the same call may succeed later; kafkaCode: what a Kafka client is told; todo: what the operator does.
 */
export type ErrorRow = { readonly retriable: boolean; readonly kafkaCode: number; readonly todo: string }

export const ERROR_CODES = {
  FRAME_INVALID: { retriable: false, kafkaCode: 42, todo: 'The peer sent bytes that are no valid request: look at the client named in the log line.' },
  STORE_UNAVAILABLE: { retriable: true, kafkaCode: 56, todo: 'The outcome of a store call is unknown: look at the object store, the call is repeated or read back.' },
  STORE_REFUSED: { retriable: false, kafkaCode: 56, todo: 'The object store refuses: check credentials, permissions and the path.' },
  STORE_UNFIT: { retriable: false, kafkaCode: 56, todo: 'Use an object store that does what is missing here: Zonewise would lose data without it.' },
  STORE_FULL: { retriable: true, kafkaCode: 56, todo: 'Free space on the disk of the store, or raise its size: nothing is deleted yet.' },
  OBJECT_EXISTS: { retriable: false, kafkaCode: 56, todo: 'Another writer holds the key: this writer must stop using its source.' },
  OBJECT_MISSING: { retriable: true, kafkaCode: 56, todo: 'An object that the index names is not in the store: restore it from a backup of the bucket.' },
  OBJECT_CORRUPT: { retriable: true, kafkaCode: 56, todo: 'An object does not match its checksum: restore the named object.' },
  JOURNAL_UNSETTLED: { retriable: true, kafkaCode: 7, todo: 'The outcome of a journal append is unknown: it is repeated until it is known.' },
  JOURNAL_FULL: { retriable: true, kafkaCode: 7, todo: 'The journal has no room: give Redis more memory. Snapshots are written at once, and trim journals.' },
  JOURNAL_CORRUPT: { retriable: false, kafkaCode: 56, todo: 'A journal frame or entry does not match its checksum: restore what is named.' },
  JOURNAL_FAILED: { retriable: false, kafkaCode: 56, todo: 'An fsync of the journal failed: check the disk, then start again.' },
  JOURNAL_MISSING: { retriable: false, kafkaCode: 56, todo: 'The journal of a shard does not exist or lost entries: restore it; nothing goes on from nothing.' },
  REDIS_UNAVAILABLE: { retriable: true, kafkaCode: 7, todo: 'Redis does not answer: check that it runs, and the address, user and password given with --journal.' },
  REDIS_REFUSED: { retriable: false, kafkaCode: 56, todo: 'Correct user and password in --journal (redis://USER:PASSWORD@HOST:PORT, URL-encoded), or allow the user what docs/redis.md lists.' },
  SHARD_QUARANTINED: { retriable: true, kafkaCode: 56, todo: 'The shard found damage and stopped: the log line names what and where.' },
  VIEW_STALE: { retriable: true, kafkaCode: 6, todo: 'A view of a shard hears neither the leader nor the journal: look at the network and at Redis.' },
  NOT_LEADER: { retriable: true, kafkaCode: 6, todo: 'The shard is led elsewhere: ask again.' },
  OVERLOADED: { retriable: true, kafkaCode: 7, todo: 'A bound was reached: slow down, or raise the named setting.' },
  RPC_UNAVAILABLE: { retriable: true, kafkaCode: 7, todo: 'A peer node did not answer: check that it runs.' },
  RPC_TIMED_OUT: { retriable: true, kafkaCode: 7, todo: 'A peer node did not answer in time.' },
  STOPPING: { retriable: true, kafkaCode: 6, todo: 'The node is stopping: ask another one.' },
  SETTING_INVALID: { retriable: false, kafkaCode: 42, todo: 'Correct the named setting; see docs/config.md.' },
  DATA_FOLDER_LOCKED: { retriable: false, kafkaCode: 56, todo: 'Stop that process, or give another --data, --store or --journal.' },
  DATA_FOLDER_UNUSABLE: { retriable: false, kafkaCode: 56, todo: 'Make the folder writable, or give another --data, --store or --journal.' },
  FILE_CORRUPT: { retriable: false, kafkaCode: 56, todo: 'A file does not match its checksum: restore the named file from a backup.' },
  FORMAT_TOO_NEW: { retriable: false, kafkaCode: 56, todo: 'Start a version of Zonewise that knows this format.' },
  CLUSTER_MISMATCH: { retriable: false, kafkaCode: 56, todo: 'Store and journal belong to different clusters: point both at the same one.' },
  REDIS_UNSAFE: { retriable: false, kafkaCode: 56, todo: 'Configure Redis so that it keeps what it acknowledged; see docs/redis.md and zonewise doctor.' },
  REGISTRY_UNAVAILABLE: { retriable: true, kafkaCode: 7, todo: 'Check that Redis runs and can be reached: nodes find each other through it.' },
  REGISTRY_CORRUPT: { retriable: false, kafkaCode: 56, todo: 'Something else writes to the registry\'s keys in Redis: give each cluster a key prefix of its own.' },
  NODE_ID_TAKEN: { retriable: false, kafkaCode: 56, todo: 'Stop the other process, or give this one another --node-id.' },
  NODE_SUPERSEDED: { retriable: false, kafkaCode: 56, todo: 'Nothing to do if the node was started again on purpose; else give one of them another --node-id.' },
  NODE_REFUSED: { retriable: false, kafkaCode: 56, todo: 'Give this node the version, cluster and secret of the others; zonewise doctor asks each of them.' },
  SOURCE_CLOSED: { retriable: false, kafkaCode: 56, todo: 'Start the node again: it gets a new epoch. It was away for too long, or its object keys are written by somebody else.' },
  PORT_IN_USE: { retriable: false, kafkaCode: 56, todo: 'Stop what listens on the port, or choose another with --listener or --http (npm run cluster: --ports-from).' },
  TOO_FEW_FILES: { retriable: false, kafkaCode: 56, todo: 'Raise the limit of open files (ulimit -n).' },
  TOOL_MISSING: { retriable: false, kafkaCode: -1, todo: 'Install the program that is named, then try again.' },
  NODE_NOT_STARTED: { retriable: false, kafkaCode: -1, todo: 'See what it said just before, and its log in the folder "log" of the data.' },
  CLIENT_FAILED: { retriable: true, kafkaCode: -1, todo: 'Check that the cluster runs, and the address given with --bootstrap-server or --http.' },
  TOPIC_EXISTS: { retriable: false, kafkaCode: 36, todo: 'Choose another name, or delete the topic first.' },
  TOPIC_MISSING: { retriable: false, kafkaCode: 3, todo: 'See zonewise topic list.' },
  LINE_WITHOUT_KEY: { retriable: false, kafkaCode: 42, todo: 'Correct the line; the lines before it were sent.' },
  LINE_TOO_LONG: { retriable: false, kafkaCode: 10, todo: 'Split the line, or send it with a client of your own; the lines before it were sent.' },
  ARGUMENT_INVALID: { retriable: false, kafkaCode: 42, todo: 'Correct the command line; zonewise COMMAND --help shows its flags.' },
  REQUEST_REFUSED: { retriable: false, kafkaCode: -1, todo: 'Correct what the reason names: the same request will be refused again.' }
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERROR_CODES
