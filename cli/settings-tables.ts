/** All settings of a process, for its start, its help and docs/config.md. */
import { brokerSettings } from '#broker/config.ts'
import { gatewaySettings } from '#gateway/config.ts'
import { redisSettings } from '#shared/journal/redis-config.ts'
import { transportSettings } from '#shared/transport/config.ts'
import { flagOf, type SettingsTable } from '#shared/config/settings.ts'
import { storeSettings } from '#shared/store/config.ts'
import type { FlagSpec } from './command/arguments.ts'
import { clusterSettings } from './cluster-config.ts'
import { nodeSettings } from './config.ts'

export const SETTINGS_TABLES: readonly SettingsTable[] =
  [nodeSettings, clusterSettings, gatewaySettings, brokerSettings, storeSettings, redisSettings, transportSettings]

/** A bool is a switch; every other row takes a value. */
export function settingFlags(): FlagSpec[] {
  return SETTINGS_TABLES.flatMap(({ rows }) => Object.entries(rows).map(([name, row]) =>
    ({ flag: flagOf(name), value: row.kind === 'bool' ? null : row.range, doc: row.doc })))
}
