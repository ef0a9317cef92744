import type { Figure } from '../scenario/scenario.ts'
import { load } from './process-stats.ts'

export type Goal = { readonly min?: number; readonly max?: number }

/** One measured number beside its goal and the load of the machine at this moment. */
export function figure(what: string, value: number, unit: string, goal: Goal = {}): Figure {
  const { min, max } = goal
  const words =
    [min === undefined ? '' : `>= ${min}`, max === undefined ? '' : `<= ${digits(max)}`].filter((one) => one !== '')
      .join(' and ')
  const met = words === '' ? null : value >= (min ?? -Infinity) && value <= (max ?? Infinity)
  return { what, measured: `${digits(value)}${unit === '' ? '' : ` ${unit}`}`, value, goal: words, met, load: load() }
}

function digits(value: number): string {
  if (Number.isInteger(value)) return String(value)
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 1 ? value.toFixed(2) : value.toPrecision(3)
}
