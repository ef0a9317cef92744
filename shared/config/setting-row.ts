/** The kinds of settings: each row reads a text (flag, environment) or a JSON value (file) and checks its range. */

export type SettingRow<T> = {
  readonly kind: 'text' | 'int' | 'bool' | 'choice'
  readonly doc: string
  readonly default: T | undefined // undefined: must be given
  readonly unit: string | null
  readonly range: string // in words, for sentences and docs
  readonly since: string | null
  readonly deprecated: string | null // what to use instead
  /** @returns undefined where `value` (a text, or what JSON held) is out of range. */
  readonly read: (value: unknown) => T | undefined
}

type Common<T> = { readonly doc: string; readonly default?: T; readonly since?: string; readonly deprecated?: string }

function row<T>(
  kind: SettingRow<T>['kind'], common: Common<T>, unit: string | null, range: string, read: SettingRow<T>['read']
): SettingRow<T> {
  const { doc, since = null, deprecated = null } = common
  return Object.freeze({ kind, doc, default: common.default, unit, range, since, deprecated, read })
}

/** Suffixes of a number with that unit, the greatest first. */
const SUFFIXES: Readonly<Record<string, readonly (readonly [string, number])[]>> = {
  bytes: [['TiB', 2 ** 40], ['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10], ['B', 1]],
  ms: [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1_000], ['ms', 1]]
}

/** How a person writes a value: `8MiB`, `250ms`, `true`, a text as it is; it reads back as the same value. */
export function settingText(value: unknown, unit: string | null): string {
  if (typeof value !== 'number') return typeof value === 'string' ? value : JSON.stringify(value)
  const suffixes = SUFFIXES[unit ?? ''] ?? []
  const [suffix, factor] = suffixes.find(([, one]) => value !== 0 && value % one === 0) ?? suffixes.at(-1) ?? ['', 1]
  return `${value / factor}${suffix}`
}

/** Reads `12`, `-1` or, where the unit has suffixes, `8MiB`; only safe integers. */
function readWhole(value: unknown, unit: string | null, min: number, max: number): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  const found = /^(-?\d+)\s*([a-z]*)$/i.exec(String(value).trim())
  if (found === null) return undefined
  const suffix = found[2]!.toLowerCase()
  const factor = suffix === '' ? 1 : SUFFIXES[unit ?? '']?.find(([name]) => name.toLowerCase() === suffix)?.[1]
  if (factor === undefined) return undefined
  const number = Number(found[1]) * factor
  return Number.isSafeInteger(number) && number >= min && number <= max ? number : undefined
}

/**
 * A whole number in [min, max]; with a unit of bytes or ms it may be written `8MiB`, `250ms`, `5s`, `2m`, `1h`, `7d`.
 */
export function int(
  options: Common<number> & { readonly unit?: string; readonly min: number; readonly max: number }
): SettingRow<number> {
  const { unit = null, min, max } = options
  const range = unit !== null && unit in SUFFIXES
    ? `${settingText(min, unit)} to ${settingText(max, unit)}`
    : `a whole number from ${min} to ${max}${unit === null ? '' : ` ${unit}`}`
  return row('int', options, unit, range, (value) => readWhole(value, unit, min, max))
}

/** A text of at most `lengthMax` characters, not empty. */
export function text(options: Common<string> & { readonly lengthMax?: number }): SettingRow<string> {
  const { lengthMax = 4_096 } = options
  return row('text', options, null, `a text of 1 to ${lengthMax} characters`, (value) =>
    typeof value === 'string' && value.length >= 1 && value.length <= lengthMax ? value : undefined)
}

/** `true` or `false`; a flag alone means true. */
export function bool(options: Common<boolean>): SettingRow<boolean> {
  return row('bool', options, null, 'true or false', (value) => {
    if (value === true || value === 'true' || value === '') return true
    return value === false || value === 'false' ? false : undefined
  })
}

/** One of a few words. */
export function choice<const T extends string>(
  options: Common<NoInfer<T>> & { readonly choices: readonly T[] }
): SettingRow<T> {
  const { choices } = options
  const read = (value: unknown): T | undefined => choices.find((word) => word === value)
  return row<T>('choice', options, null, `one of ${choices.join(', ')}`, read)
}
