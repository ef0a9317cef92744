/** Splits a command line into flags, lists and words: `--name value`, `--name=value`, `--switch`; `--` ends flags. */
import { int } from '#shared/config/settings.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

export type FlagSpec = {
  readonly flag: string // without dashes in front
  readonly value: string | null // how help calls the value; null: a switch
  readonly many?: boolean
  readonly doc: string
}

export type Arguments = {
  readonly flags: ReadonlyMap<string, string> // '' for a switch; the last one wins
  readonly lists: ReadonlyMap<string, readonly string[]> // of flags that may be repeated
  readonly words: readonly string[]
}

/**
 * A switch takes a value only as `--switch=false`, any other flag one with dashes in front only as `--flag=--value`.
 * @throws ZonewiseError ARGUMENT_INVALID
 */
export function parseArguments(argv: readonly string[], specs: readonly FlagSpec[]): Arguments {
  const known = new Map(specs.map((spec) => [spec.flag, spec]))
  const flags = new Map<string, string>()
  const lists = new Map<string, string[]>()
  const words: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!
    if (argument === '--') {
      words.push(...argv.slice(i + 1))
      break
    }
    if (!argument.startsWith('-') || argument === '-') {
      words.push(argument)
      continue
    }
    const equals = argument.indexOf('=')
    const shown = equals < 0 ? argument : argument.slice(0, equals)
    const spec = known.get(shown === '-h' ? 'help' : shown.replace(/^--/, ''))
    if (spec === undefined || (shown !== '-h' && !shown.startsWith('--'))) {
      throw new ZonewiseError('ARGUMENT_INVALID', 'there is no such flag', { flag: shown })
    }
    let value = equals < 0 ? '' : argument.slice(equals + 1)
    if (equals < 0 && spec.value !== null) {
      const next = argv[++i]
      if (next === undefined || next.startsWith('--')) {
        throw new ZonewiseError('ARGUMENT_INVALID', 'a flag needs a value', { flag: shown })
      }
      value = next
    }
    if (spec.many === true) lists.set(spec.flag, [...(lists.get(spec.flag) ?? []), value])
    else flags.set(spec.flag, value)
  }
  return { flags, lists, words }
}

/** A whole number given by a flag, or null. @throws ZonewiseError ARGUMENT_INVALID */
export function wholeFlag(
  args: Arguments, flag: string, range: { readonly min: number; readonly max: number }
): number | null {
  const text = args.flags.get(flag)
  if (text === undefined) return null
  const value = Number(text)
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(value) && value >= range.min && value <= range.max) return value
  throw new ZonewiseError('ARGUMENT_INVALID', 'a flag is out of range',
    { flag: `--${flag}`, value: `"${text}"`, range: `a whole number from ${range.min} to ${range.max}` })
}

export type TimeRange = { readonly default: number; readonly min: number; readonly max: number }

/** A time in ms given by a flag as `2s`, `500ms` or a number of ms. @throws ZonewiseError ARGUMENT_INVALID */
export function timeFlag(args: Arguments, flag: string, range: TimeRange): number {
  const row = int({ unit: 'ms', doc: '', ...range })
  const text = args.flags.get(flag)
  const value = text === undefined ? range.default : row.read(text)
  if (value !== undefined) return value
  const facts = { flag: `--${flag}`, value: `"${text}"`, range: row.range }
  throw new ZonewiseError('ARGUMENT_INVALID', 'a flag is out of range', facts)
}

/** `host:port`, `[v6]:port`; null where it is neither. */
export function splitHostPort(text: string): { readonly host: string; readonly port: number } | null {
  const found = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text)
  const port = Number(found?.[3])
  return found === null || port > 65_535 ? null : { host: (found[1] ?? found[2])!, port }
}
