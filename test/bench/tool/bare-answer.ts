/** The ceiling of a load: a process that answers each frame with so many bytes and does nothing. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { RawClient } from '#cli/load/raw-client.ts'

const CHILD = fileURLToPath(new URL('bare-answer.child.ts', import.meta.url))

export type BareAnswerOptions = {
  readonly frame: Uint8Array
  readonly answerBytes: number
  readonly connections: number
  readonly inFlight: number // of one connection
  readonly seconds: number
}

/** @returns answers a second */
export async function bareAnswer(options: BareAnswerOptions): Promise<number> {
  const { frame, answerBytes, connections, inFlight, seconds } = options
  const child = fork(CHILD, [String(answerBytes)])
  const port = await new Promise<number>((resolve) => { child.once('message', (bound) => { resolve(Number(bound)) }) })
  const place = { host: '127.0.0.1', port }
  const clients = await Promise.all(Array.from({ length: connections }, () => RawClient.open(place)))
  const startMs = performance.now()
  const endMs = startMs + seconds * 1_000
  let answers = 0
  const send = (client: RawClient): void => {
    client.send(frame, () => {
      answers += 1
      if (performance.now() < endMs) send(client)
    })
  }
  for (const client of clients) for (let n = 0; n < inFlight; n++) send(client)
  await new Promise((resolve) => { setTimeout(resolve, seconds * 1_000) })
  const took = (performance.now() - startMs) / 1_000
  clients.forEach((client) => { client.close() })
  child.kill()
  return answers / took
}
