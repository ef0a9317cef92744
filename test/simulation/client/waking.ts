/** Long polls when all is quiet: each must wake when there is something. */
import { sleep } from '#shared/runtime/runtime.ts'
import { unlike } from '../check/history.ts'
import { Caller, type ClientParts } from './caller.ts'
import { fetchOne } from './fetch-one.ts'
import { nameOf, PlainProducer, type Target } from './producer.ts'
import { askEnd } from './reader.ts'

const POLL_MS = 5_000 // longest wait of a poll that must wake
const WAKE_MS = 1_500 // by when it must have, from the ack on
const BEFORE_MS = 100

/** Polls of all zones wait at the end of a partition when a record comes: each must have it soon. */
export async function checkWaking(
  polls: readonly ClientParts[], producing: ClientParts, target: Target
): Promise<void> {
  const { history, timer } = producing
  const producer = new PlainProducer(producing)
  const callers = polls.map((parts) => new Caller(parts))
  const end = await producer.caller.until(() => askEnd(producer.caller, target)) ?? 0
  const answered = callers.map(
    async (caller) => ({ caller, bytes: await poll(caller, target, end), atMs: history.nowMs })
  )
  await sleep(timer, BEFORE_MS)
  await producer.writeOnce(target)
  const ackedMs = history.nowMs
  for (const { caller, bytes, atMs } of await Promise.all(answered)) {
    const took = `an answer after ${Math.round(atMs - ackedMs)} ms with ${bytes} bytes`
    if (bytes === 0 || atMs - ackedMs > WAKE_MS) history.violation(
      'a long poll wakes',
      unlike(`${caller.parts.name} to be told of ${nameOf(target)}@${end} within ${WAKE_MS} ms`, took)
    )
  }
}

/** Bytes of the first answer that is no error. */
async function poll(caller: Caller, target: Target, fetchOffset: number): Promise<number> {
  const found = await caller.until(async () => {
    const { errorCode, bytes } = await fetchOne(caller, target, fetchOffset, POLL_MS)
    return errorCode === 0 || !caller.again(errorCode, `Fetch of ${nameOf(target)}`) ? bytes.byteLength : null
  })
  return found ?? 0
}
