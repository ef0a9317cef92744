/**
 * Goal: what a person wrote in README and docs is true of the code: links lead somewhere, commands and flags exist,
 * metrics, settings and files too. Method: the pages are read, and what they name is looked up.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseArguments } from '#cli/command/arguments.ts'
import { COMMANDS } from '#cli/command/commands.ts'
import { METRICS_TABLES } from '#cli/metrics-tables.ts'
import { settingFlags } from '#cli/settings-tables.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)]
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8')
const SHOWN = ['README.md', 'docs/user-guide.md', 'docs/operations.md'] // whose commands people type

/** GitHub's way from a heading to its anchor. */
function anchorsOf(page: string): Set<string> {
  const headings = [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!)
  return new Set(
    headings.map((heading) => heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'))
  )
}

for (const page of pages) {
  test(`docs: the links of ${page} lead somewhere`, () => {
    for (const [, target] of textOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue
      const [path, anchor] = target!.split('#')
      const file = path === '' ? page : join(dirname(page), path!)
      assert(existsSync(join(root, file)), `${target} of ${page}`)
      if (anchor !== undefined) assert(anchorsOf(file).has(anchor), `${target} of ${page}`)
    }
  })
}

test('docs: each page can be reached from the README', () => {
  const linked = new Set([...textOf('README.md').matchAll(/\]\((docs\/[^)#\s]+)/g)].map(([, path]) => path))
  for (const page of pages) if (page !== 'README.md') assert(linked.has(page), page)
})

/** Lines of code blocks, with what a backslash continues, without prompts. */
function shownLines(page: string): string[] {
  const blocks = [...textOf(page).matchAll(/^```(?:sh|console)\n([^]*?)^```/gm)].map(([, block]) => block!)
  return blocks.flatMap((block) => block.replaceAll('\\\n', ' ').split('\n')).map((line) => line.replace(/^\$ /, ''))
}

/** The arguments of each `zonewise` of a line, whatever pipes and redirections surround it. */
function callsOf(line: string): string[][] {
  const parts = line.replace(/'[^']*'|"[^"]*"/g, (quoted) => quoted.replace(/[|<>;&#\s]/g, '_')).split(/\||&&|;| #/)
  return parts.flatMap((part) => {
    const words = part.split(/[<>]/)[0]!.trim().replace(/^(\w+=\S*\s+)+/, '').split(/\s+/) // without variables
    if (words[0] === 'npm' && words[1] === 'start') return [['start', ...words.slice(words[2] === '--' ? 3 : 2)]]
    const at = words[0] === 'npx' ? 1 : 0
    return words[at] === 'zonewise' ? [words.slice(at + 1)] : []
  })
}

for (const page of SHOWN) {
  test(`docs: the commands of ${page} are commands, with flags that they have`, () => {
    const calls = shownLines(page).flatMap(callsOf)
    assert(calls.length >= 5, 'a page of commands shows some')
    for (const call of calls) {
      const command = COMMANDS.find(({ name }) => name === call.slice(0, name.split(' ').length).join(' '))
      assert(command !== undefined, call.join(' '))
      const flags = [...command.flags, ...(command.settings ? settingFlags() : [])]
      const { words } = parseArguments(call.slice(command.name.split(' ').length), flags)
      assert.equal(words.length, command.wordCount, call.join(' '))
    }
  })

  test(`docs: the flags, metrics and files that ${page} names exist`, () => {
    const text = textOf(page)
    const others = ['help', 'version', 'omit']
    const flags =
      new Set([...COMMANDS.flatMap((one) => one.flags), ...settingFlags()].map(({ flag }) => flag).concat(others))
    for (const [, flag] of text.matchAll(/`--([a-z-]+)/g)) assert(flags.has(flag!), `--${flag}`)
    const rows = METRICS_TABLES.flatMap(({ table }) => Object.values(table))
    const metrics = new Set(rows.map(({ name }) => name as string))
    for (const [metric] of text.matchAll(/zonewise_[a-z_]+/g)) assert(metrics.has(metric), metric)
    const paths = text.matchAll(/`((?:cli|gateway|broker|shared|test|docs|\.ci)\/[^`\s<]*)`/g)
    for (const [, path = ''] of paths) assert(existsSync(join(root, path)), path)
  })
}

test('docs: the table of commands is whole', () => {
  const shown =
    [...textOf('README.md').matchAll(/^\| `zonewise ([^`]+)`/gm)].map(([, call]) => call!.replaceAll('\\|', '|'))
  const names = shown.flatMap((call) => {
    const [first, second = ''] = call.split(' ')
    return second.includes('|') ? second.split('|').map((word) => `${first} ${word}`) : [first!]
  })
  assert.deepEqual(names.sort(), COMMANDS.map(({ name }) => name).sort())
})

test('packages: none runs a script when it is installed', () => {
  type Lock = { readonly packages: Readonly<Record<string, object>> }
  const { packages } = JSON.parse(textOf('package-lock.json')) as Lock
  const scripted = Object.entries(packages).filter(([, facts]) => 'hasInstallScript' in facts).map(([path]) => path)
  assert.deepEqual(scripted, [])
})

test('docs: every package is argued', () => {
  type Packages = Readonly<Record<string, string>>
  const read = JSON.parse(textOf('package.json')) as Readonly<Record<string, Packages>>
  const { dependencies, optionalDependencies, devDependencies } = read
  const names = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies })
  const text = textOf('docs/dependencies.md')
  for (const name of names) assert(text.includes(`\`${name}\``), name)
})
