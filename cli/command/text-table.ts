/** Tables and sizes for a terminal. */

/** Columns as wide as they must be; the first is flush left, the others right, or only those of `right`. */
export function textTable(rows: readonly (readonly string[])[], right?: ReadonlySet<number>): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => { widths[i] = Math.max(widths[i] ?? 0, cell.length) })
  const isRight = (i: number): boolean => right?.has(i) ?? i > 0
  const padded = (cell: string, i: number): string => (isRight(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))
  return rows.map((row) => row.map(padded).join('  ').trimEnd()).join('\n')
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `1536` -> `1.5 KiB` */
export function bytesText(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1_024 && unit < UNITS.length - 1) {
    value /= 1_024
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${UNITS[unit]}`
}
