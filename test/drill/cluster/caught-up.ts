/** Whether readers have read all that was acknowledged. Pure. */
import type { Event } from '#test/simulation/check/history.ts'

/** What `readers` have not read yet of the acknowledged records of a topic, as a sentence each. */
export function notReadYet(events: readonly Event[], topic: string, readers: readonly string[]): string[] {
  const ends = new Map<string, number>()
  const read = new Map<string, number>() // by reader and partition: the next offset
  for (const event of events) {
    if (event.kind !== 'acked' && event.kind !== 'read') continue
    const { partition, offset } = event
    if (!partition.startsWith(`${topic}/`)) continue
    if (event.kind === 'acked') ends.set(partition, Math.max(ends.get(partition) ?? 0, offset + 1))
    else read.set(`${event.reader} ${partition}`, offset + 1)
  }
  return readers.flatMap((reader) => [...ends].flatMap(([partition, end]) => {
    const next = read.get(`${reader} ${partition}`) ?? 0
    return next < end ? [`${reader} stands at ${partition}@${next}, acknowledged are ${end}`] : []
  }))
}
