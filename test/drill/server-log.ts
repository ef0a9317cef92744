/** What a server's log says that it should not: errors, bugs, stack traces, and lines that are no log lines. */
const LEVEL_ERROR = 50
const LEVEL_WARN = 40
const BANNER = /^(Zonewise |  |Try, )/

type Line = { readonly level?: number; readonly msg?: string }

export type Judged = { readonly warnings: ReadonlyMap<string, number>; readonly faults: readonly string[] }

/** `expected`: how messages of errors begin that are as they should be. */
export function judgeLog(text: string, expected: readonly string[] = []): Judged {
  const warnings = new Map<string, number>()
  const faults: string[] = []
  for (const line of text.split('\n')) {
    if (line === '' || BANNER.test(line)) continue
    const { level = LEVEL_ERROR, msg = line } = parse(line)
    if (level >= LEVEL_ERROR && !expected.some((beginning) => msg.startsWith(beginning))) faults.push(line)
    else if (level >= LEVEL_WARN) warnings.set(msg, (warnings.get(msg) ?? 0) + 1)
  }
  return { warnings, faults }
}

/** A kill may cut a line short: what cannot be read is a fault unless it began as a log line. */
function parse(line: string): Line {
  if (!line.startsWith('{')) return {}
  try {
    return JSON.parse(line) as Line
  } catch {
    return { level: LEVEL_WARN, msg: 'a line cut short' }
  }
}
