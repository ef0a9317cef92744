/** Texts of `zonewise help` and `zonewise COMMAND --help`. */
import { flagOf, type SettingsTable } from '#shared/config/settings.ts'
import type { FlagSpec } from './arguments.ts'
import type { Command } from './command.ts'

export function helpText(commands: readonly Command[]): string {
  const rows = commands.map((command) => [`zonewise ${callOf(command)}`, command.summary] as const)
  return `Zonewise is a Kafka-compatible streaming system whose data never crosses an availability zone by accident.

Commands:
${twoColumns(rows)}
  zonewise COMMAND --help        Shows flags and examples of a command.
  zonewise --version             Shows the version.

Exit codes: 0 done, 1 failed (one sentence says why), 2 the command line names no command, 130 interrupted.
`
}

/** `topic create TOPIC` */
export function callOf({ name, words }: Command): string {
  return words === '' ? name : `${name} ${words}`
}

export function commandHelp(command: Command, tables: readonly SettingsTable[]): string {
  const { summary, flags, settings, examples } = command
  const parts = [`${summary}\n\nUsage: zonewise ${callOf(command)} [flags]\n`]
  if (flags.length > 0) parts.push(`Flags:\n${twoColumns(flags.map((spec) => [flagText(spec), spec.doc]))}\n`)
  if (settings) {
    for (const { part, rows } of tables) {
      if (Object.keys(rows).length === 0) continue
      parts.push(`Settings (${part.toLowerCase()}):\n${twoColumns(Object.entries(rows).map(([key, row]) => {
        const value = row.default === undefined ? ' (required)' : ` (default ${JSON.stringify(row.default)})`
        return [`--${flagOf(key)}`, `${row.doc}${row.default === '' ? '' : value}`] as const
      }))}\n`)
    }
  }
  parts.push(`Examples:\n${examples.map((example) => `  ${example}`).join('\n')}\n`)
  return parts.join('\n')
}

function flagText({ flag, value }: FlagSpec): string {
  return value === null ? `--${flag}` : `--${flag} ${value}`
}

function twoColumns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(28, ...rows.map(([left]) => left.length).filter((length) => length <= 36))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
