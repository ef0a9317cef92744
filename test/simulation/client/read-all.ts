/** Reads every partition from its start to its end, once all is quiet. */
import type { FinalLog } from '../check/history.ts'
import type { Caller } from './caller.ts'
import { ConnectionLost } from './connection.ts'
import { nameOf } from './producer.ts'
import { askEnd, Follower } from './reader.ts'

const AGAIN_MS = 100

/** What `caller` finds, a log for each partition of its topics, read under the caller's name. */
export async function readAll(caller: Caller): Promise<FinalLog[]> {
  const { name, topics } = caller.parts
  const targets = topics.flatMap(({ name: topic, partitionCount }) =>
    Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition })))
  const logs = new Map<string, FinalLog['records'][number][]>(targets.map((target) => [nameOf(target), []]))
  const follower =
    new Follower(caller, (target, offset, record) => { logs.get(nameOf(target))!.push({ offset, record }) })
  for (const target of targets) {
    const end = await caller.until(() => askEnd(caller, target)) ?? 0
    while (follower.offset(target) < end) await fetchOnce(follower)
  }
  return [...logs].map(([partition, records]) => ({ reader: name, partition, records }))
}

async function fetchOnce(follower: Follower): Promise<void> {
  try {
    if (!await follower.fetch()) await follower.caller.pause(AGAIN_MS)
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error
    await follower.caller.pause(AGAIN_MS)
  }
}
