/**
 * Settings as tables: a row has a kind, a range, a default and its documentation; the name gives the flag
 * (`walLingerMs` -> `--wal-linger-ms`), the environment variable (`ZONEWISE_GATEWAY_WAL_LINGER_MS`) and the key in the
 * config file (`walLingerMs`). Precedence: flag, environment, file, default. What comes out is frozen data.
 */
import { ZonewiseError } from '../errors/zonewise-error.ts'
import type { SettingRow } from './setting-row.ts'

export { bool, choice, int, settingText, text, type SettingRow } from './setting-row.ts'

export type SettingSources = {
  readonly flags: ReadonlyMap<string, string> // by name without dashes in front: 'wal-linger-ms'; '': no value given
  readonly env: Readonly<Record<string, string | undefined>>
  readonly file: Readonly<Record<string, unknown>> // the parsed JSON of --config
}

export const NO_SOURCES: SettingSources = { flags: new Map(), env: {}, file: {} }

type Rows = Readonly<Record<string, SettingRow<unknown>>>
type Values<R extends Rows> = { readonly [K in keyof R]: R[K] extends SettingRow<infer T> ? T : never }

/** What the docs generator and the check of unknown flags need of a table, whatever its values are. */
export type SettingsTable = { readonly part: string; readonly rows: Rows }

export type Settings<V> = SettingsTable & {
  /** @throws ZonewiseError SETTING_INVALID, naming where the value came from, the value and the range. */
  load(sources: SettingSources): V
  /** The values without any source. @throws ZonewiseError SETTING_INVALID where a row has no default. */
  defaults(): V
}

/** `walLingerMs` -> `wal-linger-ms` */
export function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** (`GATEWAY`, `walLingerMs`) -> `ZONEWISE_GATEWAY_WAL_LINGER_MS` */
export function envOf(part: string, name: string): string {
  return `ZONEWISE_${part}_${flagOf(name).replaceAll('-', '_').toUpperCase()}`
}

/** Makes the settings of one part; `check` looks at the values together: true, or a sentence that says what is bad. */
export function defineSettings<R extends Rows>(
  part: string, rows: R, check: (values: Values<R>) => true | string = () => true
): Settings<Values<R>> {
  const load = (sources: SettingSources): Values<R> => {
    const values: Record<string, unknown> = {}
    for (const [name, row] of Object.entries(rows)) values[name] = readSetting(part, name, row, sources)
    const checked = Object.freeze(values) as Values<R>
    const verdict = check(checked)
    if (verdict === true) return checked
    throw new ZonewiseError('SETTING_INVALID', 'settings do not fit together', { part, why: verdict })
  }
  return Object.freeze({ part, rows, load, defaults: () => load(NO_SOURCES) })
}

function readSetting(part: string, name: string, row: SettingRow<unknown>, sources: SettingSources): unknown {
  const flag = flagOf(name)
  const env = envOf(part, name)
  const given: [string, unknown][] = [
    [`--${flag}`, sources.flags.get(flag)], [env, sources.env[env]], [`${name} in the config file`, sources.file[name]]
  ]
  const first = given.find(([, value]) => value !== undefined)
  if (first === undefined) {
    if (row.default !== undefined) return row.default
    throw new ZonewiseError('SETTING_INVALID', 'a setting without a default is missing', { setting: `--${flag}`, env })
  }
  const [setting, value] = first
  const read = row.read(value)
  if (read !== undefined) return read
  const shown = typeof value === 'string' ? `"${value}"` : JSON.stringify(value)
  throw new ZonewiseError('SETTING_INVALID', 'a setting is out of range', { setting, value: shown, range: row.range })
}

/**
 * Refuses flags and file keys that no table knows: a mistyped one never passes silently.
 * `otherFlags` are those that are no settings (`listener`, ...).
 * @throws ZonewiseError SETTING_INVALID
 */
export function refuseUnknown(
  tables: readonly SettingsTable[], sources: SettingSources, otherFlags: ReadonlySet<string>
): void {
  const names = new Set(tables.flatMap(({ rows }) => Object.keys(rows)))
  const flags = new Set([...names].map(flagOf))
  for (const flag of sources.flags.keys()) refuse(flags.has(flag) || otherFlags.has(flag), `--${flag}`)
  for (const name of Object.keys(sources.file)) refuse(names.has(name), `${name} in the config file`)
}

function refuse(known: boolean, setting: string): void {
  if (!known) throw new ZonewiseError('SETTING_INVALID', 'there is no such setting', { setting })
}

/**
 * Variables that begin like a setting's and are none. They are only worth a warning: Kubernetes puts
 * ZONEWISE_GATEWAY_PORT and its like into every container that sees a service of that name.
 */
export function unknownEnv(tables: readonly SettingsTable[], env: SettingSources['env']): string[] {
  const known = new Set(tables.flatMap(({ part, rows }) => Object.keys(rows).map((name) => envOf(part, name))))
  const prefixes = tables.map(({ part }) => `ZONEWISE_${part}_`)
  const looksLike = (name: string): boolean => prefixes.some((prefix) => name.startsWith(prefix))
  return Object.keys(env).filter((name) => looksLike(name) && !known.has(name)).sort()
}

/** The deprecated rows that a source sets, each as a sentence. */
export function deprecatedUses(tables: readonly SettingsTable[], { flags, env, file }: SettingSources): string[] {
  return tables.flatMap(({ part, rows }) => Object.entries(rows).flatMap(([name, row]) => {
    const isSet = flags.has(flagOf(name)) || env[envOf(part, name)] !== undefined || file[name] !== undefined
    return isSet && row.deprecated !== null ? [`--${flagOf(name)} is deprecated: ${row.deprecated}`] : []
  }))
}
