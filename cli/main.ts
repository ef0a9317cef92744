/** `zonewise`: finds the command, runs it, and turns what went wrong into one sentence and an exit code. */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type FlagSpec, parseArguments } from './command/arguments.ts'
import { type Command, EXIT, type Terminal, UsageError } from './command/command.ts'
import { COMMANDS } from './command/commands.ts'
import { callOf, commandHelp, helpText } from './command/help.ts'
import { newProcessTerminal } from './platform/process-terminal.ts'
import { version } from './version.ts'

const HELP: FlagSpec = { flag: 'help', value: null, doc: 'Shows this help.' }

export async function main(argv: readonly string[]): Promise<void> {
  const terminal = newProcessTerminal({ outlivesReader: argv[0] === 'start' })
  const code = await runCommand(argv, terminal)
  await new Promise<void>((resolve) => { terminal.stdout.write('', () => { resolve() }) })
  terminal.exit(code) // a client library's timer or socket must not keep a finished command
}

/** @returns the exit code. */
export async function runCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(argv, terminal)
  } catch (error) {
    const isExpected = error instanceof ZonewiseError || error instanceof UsageError || !(error instanceof Error)
    terminal.stderr.write(`zonewise: ${isExpected ? explain(error) : error.stack ?? error.message}\n`)
    return error instanceof UsageError ? EXIT.usage : EXIT.failed
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first] = argv
  if (first === '--version' || first === 'version') {
    terminal.stdout.write(`${version()}\n`)
    return EXIT.ok
  }
  if (first === undefined) {
    terminal.stderr.write(helpText(COMMANDS))
    return EXIT.usage
  }
  if (first === 'help' || first === '--help' || first === '-h') return help(argv.slice(1), terminal)
  const command = find(argv)
  const words = command.name.split(' ').length
  const tables = command.settings ? (await import('./settings-tables.ts')).SETTINGS_TABLES : []
  const settingFlags = command.settings ? (await import('./settings-tables.ts')).settingFlags() : []
  const args = parseArguments(argv.slice(words), [...command.flags, ...settingFlags, HELP])
  if (args.flags.has('help')) {
    terminal.stdout.write(commandHelp(command, tables))
    return EXIT.ok
  }
  if (args.words.length !== command.wordCount) {
    throw new UsageError(`usage: zonewise ${callOf(command)} [flags]; see zonewise ${command.name} --help`)
  }
  return command.run(args, terminal)
}

function find(argv: readonly string[]): Command {
  const found = COMMANDS.find(({ name }) => name === argv.slice(0, name.split(' ').length).join(' '))
  if (found !== undefined) return found
  const alike = COMMANDS.filter(({ name }) => name.startsWith(`${argv[0]} `)).map(({ name }) => `zonewise ${name}`)
  if (alike.length > 0) throw new UsageError(`there are ${alike.join(', ')}; see zonewise help`)
  throw new UsageError(`there is no command "${argv[0]}"; see zonewise help`)
}

async function help(words: readonly string[], terminal: Terminal): Promise<number> {
  if (words.length === 0) terminal.stdout.write(helpText(COMMANDS))
  else {
    const command = find(words)
    const tables = command.settings ? (await import('./settings-tables.ts')).SETTINGS_TABLES : []
    terminal.stdout.write(commandHelp(command, tables))
  }
  return EXIT.ok
}
