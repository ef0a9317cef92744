/** Settings of `zonewise start` and `zonewise doctor`, from flags, environment and file. */
import { readFileSync } from 'node:fs'
import { brokerSettings, type BrokerSettings } from '#broker/config.ts'
import { gatewaySettings, type GatewaySettings } from '#gateway/config.ts'
import { refuseUnknown, type SettingSources } from '#shared/config/settings.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { isRedisAddress } from '#shared/journal/redis-address.ts'
import { storeSettings, type StoreSettings } from '#shared/store/config.ts'
import { nodeSettings, type NodeSettings } from '../config.ts'
import type { ListenerSpec } from '../node/types.ts'
import { SETTINGS_TABLES } from '../settings-tables.ts'
import { type Arguments, splitHostPort } from './arguments.ts'
import type { Terminal } from './command.ts'
import { parseListeners } from './listener-spec.ts'

const OTHER_FLAGS = new Set(['listener', 'config', 'json', 'help'])

export type StartSettings = {
  readonly given: SettingSources
  readonly sources: SettingSources // with what goes without saying
  readonly settings: NodeSettings
  readonly parts: {
    readonly gatewaySettings: GatewaySettings; readonly brokerSettings: BrokerSettings
    readonly storeSettings: StoreSettings
  }
  readonly listeners: readonly ListenerSpec[]
  readonly httpAddress: { readonly host: string; readonly port: number }
}

/** @throws ZonewiseError SETTING_INVALID, ARGUMENT_INVALID */
export function readStartSettings(args: Arguments, terminal: Terminal): StartSettings {
  const given: SettingSources = { flags: args.flags, env: terminal.env, file: readConfigFile(args.flags.get('config')) }
  refuseUnknown(SETTINGS_TABLES, given, OTHER_FLAGS)
  const settings = nodeSettings.load(given)
  const sources = { ...given, file: { ...defaultsFor(settings), ...given.file } }
  const specs = args.lists.get('listener') ?? []
  const httpAddress = splitHostPort(settings.http)
  if (httpAddress === null) {
    throw new ZonewiseError('SETTING_INVALID', 'the http address is not HOST:PORT', { http: settings.http })
  }
  return {
    given, sources, settings, httpAddress,
    parts: {
      gatewaySettings: gatewaySettings.load(sources), brokerSettings: brokerSettings.load(sources),
      storeSettings: storeSettings.load(sources)
    },
    listeners: specs.length === 0 && isRedisAddress(settings.journal) ? [] : parseListeners(specs)
  }
}

/** What goes without saying: in one process nobody waits for members of a group, and a PUT to a bucket costs. */
function defaultsFor({ journal, store }: NodeSettings): Readonly<Record<string, unknown>> {
  return {
    ...(isRedisAddress(journal) ? {} : { groupInitialRebalanceDelayMs: 0 }),
    ...(store.startsWith('s3:') ? { lingerMs: 200, idleLingerMs: 10 } : {})
  }
}

function readConfigFile(path: string | undefined): Readonly<Record<string, unknown>> {
  if (path === undefined) return {}
  const refuse = (why: string, cause?: unknown): never => {
    throw new ZonewiseError('SETTING_INVALID', 'the config file cannot be used', { config: path, why }, cause)
  }
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error), error)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse('it must hold one JSON object')
  return value as Readonly<Record<string, unknown>>
}
