/** Settings of the process itself. */
import { choice, defineSettings, int, text } from '#shared/config/settings.ts'

export const nodeSettings = defineSettings('NODE', {
  data: text({ default: './zonewise-data', doc: 'Folder of everything that must survive; made if it is missing.' }),
  store: text({ default: '', doc: 'Object store: s3://BUCKET/PREFIX, file:FOLDER or memory: (nothing survives). Without it, a folder inside --data.' }),
  journal: text({ default: '', doc: 'Journal of decisions: redis://HOST:PORT (this is a node of a cluster), file:FOLDER or memory: (nothing survives). Without it, a folder inside --data.' }),
  shards: int({ default: 16, min: 1, max: 4_096, doc: 'Units of leadership of a new cluster; fixed when it is created.' }),
  http: text({ default: '127.0.0.1:8080', doc: 'HOST:PORT of health, metrics and the ledger over HTTP; port 0 takes any free one.' }),
  endpointsFile: text({ default: '', doc: 'File that is written once everything is ready: the endpoints that were bound, as JSON.' }),
  logFormat: choice({ choices: ['auto', 'text', 'json'], default: 'auto', doc: 'Log lines as text, as JSON, or (auto) text on a terminal and JSON elsewhere.' }),
  logLevel: choice({ choices: ['error', 'warn', 'info', 'debug'], default: 'info', doc: 'The least important lines that are logged.' }),
  stopTimeoutMs: int({ unit: 'ms', default: 30_000, min: 0, max: 3_600_000, doc: 'Longest time that a graceful stop may take; then the process ends with code 1.' })
})

export type NodeSettings = ReturnType<typeof nodeSettings.load>
