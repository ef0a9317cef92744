/** Settings of the process itself. */
import { choice, defineSettings, duration } from '#shared/config/settings.ts'

export const nodeSettings = defineSettings('NODE', {
  logFormat: choice({ choices: ['auto', 'text', 'json'], default: 'auto', doc: 'Log lines as text, as JSON, or (auto) text on a terminal and JSON elsewhere.' }),
  logLevel: choice({ choices: ['error', 'warn', 'info', 'debug'], default: 'info', doc: 'The least important lines that are logged.' }),
  stopTimeoutMs: duration({ default: 30_000, min: 0, max: 3_600_000, doc: 'Longest time that a graceful stop may take; after it the process ends with code 1.' })
})

export type NodeSettings = ReturnType<typeof nodeSettings.load>
