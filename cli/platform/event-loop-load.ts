/** How busy this process is: the share of time that its event loop worked. */
import { performance } from 'node:perf_hooks'

const STEPS = 100 // hundredths say enough

/** @returns a function that answers the share since it was asked last, 0 to 1. */
export function newEventLoopLoad(): () => number {
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return Math.round(utilization * STEPS) / STEPS
  }
}
