/** Applies the rules to source files. */
import {
  ALL_BANS, type Ban, CORE_BANS, ENTRIES, FILE_LINES_MAX, LAYERS, type Layer, LINE_COLUMNS_MAX,
  LONG_FILES, LONG_LINES_ALLOWED, PACKAGES, PURE_BANNED_FOLDERS, PURE_BANNED_WORDS, PURE_FILES, WRAP_YET
} from './rules.ts'
import type { Import, SourceFile } from './source-files.ts'

export type Finding = { readonly path: string; readonly line: number; readonly what: string }

const CORE = /^(shared|gateway|broker)\//
const TIDY_ITSELF = 'test/tidy/' // names what it bans

export function findings(files: readonly SourceFile[]): Finding[] {
  const paths = new Set(files.map(({ path }) => path))
  return [
    ...files.flatMap((file) =>
      [...importFindings(file, paths), ...lineFindings(file), ...sizeFindings(file), ...excused(file)]),
    ...deadFiles(files), ...cycles(files)
  ]
}

function layerOf(path: string): Layer | undefined {
  return LAYERS.find(({ folders }) => folders.some((folder) => path.startsWith(`${folder}/`)))
}

function importFindings({ path, imports }: SourceFile, paths: ReadonlySet<string>): Finding[] {
  const layer = layerOf(path)
  if (layer === undefined) return [{ path, line: 1, what: 'the file lies in no folder that test/tidy/rules.ts knows' }]
  return imports.flatMap((one) => {
    const what = one.target === null ? packageProblem(path, one) : fileProblem(path, layer, one, paths)
    return what === null ? [] : [{ path, line: one.line, what }]
  })
}

function packageProblem(path: string, { specifier }: Import): string | null {
  if (specifier.startsWith('node:')) return null
  const allowed = PACKAGES[specifier]
  if (allowed === undefined) {
    return `the package ${specifier} is in no rule: argue it in docs/dependencies.md and test/tidy/rules.ts`
  }
  return allowed.some((place) => path.startsWith(place))
    ? null
    : `${specifier} may be named in ${allowed.join(', ')} only`
}

function fileProblem(
  path: string, layer: Layer, { specifier, target, typeOnly }: Import, paths: ReadonlySet<string>
): string | null {
  if (target === null) return null
  if (!paths.has(target)) return target.startsWith('..') ? `${specifier} leaves the checkout` : `there is no ${target}`
  const top = (file: string): string => file.slice(0, file.indexOf('/'))
  const ownPackage = path.startsWith('test/clients/') // where # is not known
  if (specifier.startsWith('.') && specifier.endsWith('.ts') && top(target) !== top(path) && !ownPackage) {
    return `write #${target}: relative paths stay inside ${top(path)}/`
  }
  if (PURE_FILES.test(path) && !typeOnly && PURE_BANNED_FOLDERS.some((folder) => target.startsWith(folder))) {
    return `a pure file may import only types from ${target}`
  }
  const other = layerOf(target)
  if (other === undefined || other === layer || layer.imports.includes(other.name)) return null
  if (typeOnly && layer.types?.includes(other.name) === true) return null
  return `${layer.name} may not import ${other.name} (${target})`
}

function lineFindings({ path, lines }: SourceFile): Finding[] {
  if (path.startsWith(TIDY_ITSELF)) return []
  const bans = [
    ...ALL_BANS, ...(CORE.test(path) ? CORE_BANS : []),
    ...(PURE_FILES.test(path) && CORE.test(path) ? PURE_BANNED_WORDS : [])
  ]
  return lines.flatMap((text, i) => {
    const found = brokenBans(text, bans).map(({ instead }) => ({ path, line: i + 1, what: instead }))
    if (text.length > LINE_COLUMNS_MAX && !isData(path, text) && !WRAP_YET.has(path)) {
      found.push({ path, line: i + 1, what: `${text.length} columns, more than ${LINE_COLUMNS_MAX}` })
    }
    return found
  })
}

function isData(path: string, text: string): boolean {
  return LONG_LINES_ALLOWED.some(({ file, line }) => file.test(path) && line.test(text))
}

/** Files that are excused from the length of lines and need not be any more. */
function excused({ path, lines }: SourceFile): Finding[] {
  const isLong = lines.some((text) => text.length > LINE_COLUMNS_MAX && !isData(path, text))
  return WRAP_YET.has(path) && !isLong ? [{ path, line: 1, what: 'is in WRAP_YET without need' }] : []
}

/** Words in a comment ban nothing, except where they are about the comment itself. */
function brokenBans(text: string, bans: readonly Ban[]): Ban[] {
  const code = text.replace(/^\s*(\*|\/\*\*?|\/\/).*$/, '').replace(/\s\/\/ .*$/, '')
  return bans.filter((ban) => ban.pattern.test(ALL_BANS.includes(ban) && !/any/.test(ban.pattern.source) ? text : code))
}

function sizeFindings({ path, lines }: SourceFile): Finding[] {
  if (path.startsWith('test/')) return []
  const isLong = lines.length > FILE_LINES_MAX
  const reason = LONG_FILES[path]
  if (isLong && reason === undefined) {
    return [{ path, line: lines.length, what: `${lines.length} lines: split it, or give a reason in LONG_FILES` }]
  }
  return !isLong && reason !== undefined ? [{ path, line: 1, what: 'is in LONG_FILES without need' }] : []
}

/** Product files that no product file imports, and test helpers that nothing imports. */
function deadFiles(files: readonly SourceFile[]): Finding[] {
  const imported = new Set(files.flatMap(({ imports }) => imports.map(({ target }) => target)))
  return files.filter(({ path }) => !imported.has(path) && !ENTRIES.some((entry) => entry.test(path)))
    .map(({ path }) => ({ path, line: 1, what: 'nothing imports this file' }))
}

/** One finding a cycle; a cycle through `import type` is none when the code runs. */
function cycles(files: readonly SourceFile[]): Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const done = new Set<string>()
  const found: Finding[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) {
      found.push({ path, line: 1, what: `imports in a circle: ${[...trail.slice(at), path].join(' -> ')}` })
      return
    }
    if (done.has(path)) return
    for (const { target, typeOnly } of byPath.get(path)?.imports ?? []) {
      if (target !== null && !typeOnly) visit(target, [...trail, path])
    }
    done.add(path)
  }
  for (const { path } of files) visit(path, [])
  return found
}
