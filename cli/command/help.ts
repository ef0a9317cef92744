/** Texts of `zonewise help` and `zonewise COMMAND --help`, as wide as the terminal. */
import { flagOf, type SettingRow, settingText, type SettingsTable } from '#shared/config/settings.ts'
import type { FlagSpec } from './arguments.ts'
import type { Command } from './command.ts'

const COLUMNS = { min: 60, default: 100, max: 120 } as const
const LEFT_COLUMNS = { min: 28, max: 36 } as const // a longer flag stands on a line of its own

type Row = readonly [left: string, right: string]

/** What is known of the terminal; undefined: the output is no terminal. */
export type Width = number | undefined

export function helpText(commands: readonly Command[], width: Width): string {
  const rows = commands.map((command): Row => [`zonewise ${callOf(command)}`, command.summary])
  const others: readonly Row[] = [
    ['zonewise COMMAND --help', 'Shows flags and examples of a command.'], ['zonewise --version', 'Shows the version.']
  ]
  return `Zonewise is a Kafka-compatible streaming system whose data never crosses an availability zone by accident.

Commands:
${twoColumns([...rows, ...others], width)}

Exit codes: 0 done, 1 failed (one sentence says why), 2 the command line names no command, 130 interrupted.
`
}

/** `topic create TOPIC` */
export function callOf({ name, words }: Command): string {
  return words === '' ? name : `${name} ${words}`
}

export function commandHelp(command: Command, tables: readonly SettingsTable[], width: Width): string {
  const { summary, flags, settings, examples } = command
  const parts = [`${summary}\n\nUsage: zonewise ${callOf(command)} [flags]\n`]
  const flagRows = flags.map((spec): Row => [flagText(spec), spec.doc])
  if (flags.length > 0) parts.push(`Flags:\n${twoColumns(flagRows, width)}\n`)
  if (settings) {
    for (const { part, rows } of tables) {
      const lines = Object.entries(rows)
        .map(([name, row]): Row => [settingFlag(name, row), `${row.doc}${defaultText(row)}`])
      parts.push(`Settings (${part.toLowerCase()}):\n${twoColumns(lines, width)}\n`)
    }
    parts.push('Each is also an environment variable and a key of the config file: see docs/config.md.\n')
  }
  parts.push(`Examples:\n${examples.map((example) => `  ${example}`).join('\n')}\n`)
  return parts.join('\n')
}

function flagText({ flag, value }: FlagSpec): string {
  return value === null ? `--${flag}` : `--${flag} ${value}`
}

function settingFlag(name: string, { kind, unit, range }: SettingRow<unknown>): string {
  const flag = `--${flagOf(name)}`
  switch (kind) {
    case 'bool': return flag
    case 'choice': return `${flag} ${range.replace(/^one of /, '').replaceAll(', ', '|')}`
    case 'int': return `${flag} ${unit?.toUpperCase() ?? 'N'}`
    case 'text': return `${flag} TEXT`
  }
}

function defaultText({ default: value, unit }: SettingRow<unknown>): string {
  if (value === undefined) return ' Required.'
  return value === '' ? '' : ` Default ${settingText(value, unit)}.`
}

function twoColumns(rows: readonly Row[], width: Width): string {
  const columns = Math.min(COLUMNS.max, Math.max(COLUMNS.min, width ?? COLUMNS.default))
  const fitting = rows.map(([left]) => left.length).filter((length) => length <= LEFT_COLUMNS.max)
  const leftColumns = Math.max(LEFT_COLUMNS.min, ...fitting)
  const margin = ' '.repeat(leftColumns + 4)
  return rows.map(([left, right]) => {
    const text = wrapped(right, columns - margin.length).join(`\n${margin}`)
    return left.length > leftColumns ? `  ${left}\n${margin}${text}` : `  ${left.padEnd(leftColumns)}  ${text}`
  }).join('\n')
}

function wrapped(text: string, columns: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
