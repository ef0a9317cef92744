/** The source files of the checkout, with their lines and imports. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'

export type Import = { readonly line: number; readonly specifier: string; readonly typeOnly: boolean
  readonly target: string | null } // path of the file in the checkout, null for packages

export type SourceFile = { readonly path: string; readonly lines: readonly string[]; readonly imports: readonly Import[] }

const TOP_FOLDERS = ['shared', 'gateway', 'broker', 'cli', 'infra', 'test'] as const

export function readSourceFiles(root: string): SourceFile[] {
  const files: SourceFile[] = []
  for (const folder of TOP_FOLDERS) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      const absolute = join(entry.parentPath, entry.name)
      if (!entry.isFile() || !/\.(ts|mjs)$/.test(entry.name) || absolute.includes(`${sep}node_modules${sep}`)) continue
      const path = relative(root, absolute).split(sep).join('/')
      const text = readFileSync(absolute, 'utf8')
      files.push({ path, lines: text.split('\n'), imports: importsOf(path, text) })
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

const IMPORTS = /^(?:import|export)\s+(type\s)?(?:[^'"`;]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)|new URL\('(\.[^']+\.(?:ts|mjs))'/gm

export function importsOf(path: string, text: string): Import[] {
  const found: Import[] = []
  for (const match of text.matchAll(IMPORTS)) {
    const specifier = (match[2] ?? match[3] ?? match[4])!
    const line = text.slice(0, match.index).split('\n').length
    const clause = match[0]
    const typeOnly = match[1] !== undefined || onlyTypes(clause)
    found.push({ line, specifier, typeOnly, target: targetOf(path, specifier) })
  }
  return found
}

/** `import { type A, type B } from` names types only too. */
function onlyTypes(clause: string): boolean {
  const names = /\{([^}]*)\}/.exec(clause)?.[1]
  return names !== undefined && names.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type '))
}

function targetOf(path: string, specifier: string): string | null {
  if (specifier.startsWith('#')) return specifier.slice(1)
  if (specifier.startsWith('.')) return normalize(join(dirname(path), specifier)).split(sep).join('/')
  return null
}
