/** The kinds of settings: each row reads a text (flag, environment) or a JSON value (file) and checks its range. */

export type SettingRow<T> = {
  readonly kind: 'text' | 'int' | 'bool' | 'choice' | 'duration'
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

const BYTES_BY_SUFFIX =
  new Map([['', 1], ['b', 1], ['kib', 2 ** 10], ['mib', 2 ** 20], ['gib', 2 ** 30], ['tib', 2 ** 40]])
const MS_BY_SUFFIX = new Map([['', 1], ['ms', 1], ['s', 1_000], ['m', 60_000], ['h', 3_600_000], ['d', 86_400_000]])
const PLAIN = new Map([['', 1]])

/** Reads `12`, `-1` or, with suffixes, `8MiB`; only safe integers. */
function readWhole(value: unknown, factors: ReadonlyMap<string, number>, min: number, max: number): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  const found = /^(-?\d+)\s*([a-z]*)$/i.exec(String(value).trim())
  const factor = found === null ? undefined : factors.get(found[2]!.toLowerCase())
  if (found === null || factor === undefined) return undefined
  const number = Number(found[1]) * factor
  return Number.isSafeInteger(number) && number >= min && number <= max ? number : undefined
}

/** A whole number in [min, max]; with `unit: 'bytes'` it may be written `8MiB`. */
export function int(
  options: Common<number> & { readonly unit?: string; readonly min: number; readonly max: number }
): SettingRow<number> {
  const { unit = null, min, max } = options
  const factors = unit === 'bytes' ? BYTES_BY_SUFFIX : unit === 'ms' ? MS_BY_SUFFIX : PLAIN
  const range = `a whole number from ${min} to ${max}${unit === null ? '' : ` ${unit}`}`
  return row('int', options, unit, range, (value) => readWhole(value, factors, min, max))
}

/** A length of time, held in ms; may be written `250ms`, `5s`, `2m`, `1h`, `7d`. */
export function duration(options: Common<number> & { readonly min: number; readonly max: number }): SettingRow<number> {
  const { min, max } = options
  const range = `a duration from ${min} to ${max} ms (suffixes ms, s, m, h, d)`
  return row('duration', options, 'ms', range, (value) => readWhole(value, MS_BY_SUFFIX, min, max))
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
