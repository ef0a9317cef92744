/** `zonewise`: finds the command, runs it, and turns what went wrong into one sentence and an exit code. */
import { explain, ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type FlagSpec, parseArguments } from './command/arguments.ts'
import { type Command, EXIT, type Terminal, UsageError } from './command/command.ts'
import { COMMANDS } from './command/commands.ts'
import { callOf, commandHelp, helpText } from './command/help.ts'
import { newProcessTerminal } from './platform/process-terminal.ts'
import { version } from './version.ts'

const HELP: FlagSpec = { flag: 'help', value: null, doc: 'Shows this help.' }
const HELP_WORDS: readonly (string | undefined)[] = ['--help', '-h']

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
    terminal.stderr.write(helpText(COMMANDS, terminal.stdout.columns))
    return EXIT.usage
  }
  if (first === 'help' || HELP_WORDS.includes(first)) return help(argv.slice(1), terminal)
  if (group(argv).length > 0 && HELP_WORDS.includes(argv[1])) return help([first], terminal)
  const command = find(argv)
  const settingFlags = command.settings ? (await import('./settings-tables.ts')).settingFlags() : []
  const args = parseArguments(argv.slice(command.name.split(' ').length), [...command.flags, ...settingFlags, HELP])
  if (args.flags.has('help')) return showHelp(command, terminal)
  if (args.words.length !== command.wordCount) {
    throw new UsageError(`usage: zonewise ${callOf(command)} [flags]; see zonewise ${command.name} --help`)
  }
  return command.run(args, terminal)
}

/** The commands that begin with the first word, if there is more than that in their names: `topic`. */
function group([first]: readonly string[]): readonly Command[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${first} `))
}

/** @throws UsageError */
function find(argv: readonly string[]): Command {
  const found = COMMANDS.find(({ name }) => name === argv.slice(0, name.split(' ').length).join(' '))
  if (found !== undefined) return found
  const alike = group(argv).map(({ name }) => `zonewise ${name}`)
  if (alike.length > 0) throw new UsageError(`there are ${alike.join(', ')}; see zonewise help`)
  throw new UsageError(`there is no command "${argv[0]}"; see zonewise help`)
}

async function help(words: readonly string[], terminal: Terminal): Promise<number> {
  const commands = words.length === 0 ? COMMANDS : words.length === 1 ? group(words) : []
  if (commands.length === 0) return showHelp(find(words), terminal)
  terminal.stdout.write(helpText(commands, terminal.stdout.columns))
  return EXIT.ok
}

async function showHelp(command: Command, terminal: Terminal): Promise<number> {
  const tables = command.settings ? (await import('./settings-tables.ts')).SETTINGS_TABLES : []
  terminal.stdout.write(commandHelp(command, tables, terminal.stdout.columns))
  return EXIT.ok
}
