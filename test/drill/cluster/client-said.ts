/** What client processes (librdkafka.py, readers.py, Readers.java) say, and what goes into the history. Pure. */
import type { History } from '#test/simulation/check/history.ts'

type Place = { readonly partition: number }
type Reading = Place & { readonly reader?: string } // one of several in a process
type Record = Place & { readonly counter: number }

type SaidError = {
  readonly kind: 'error'; readonly who: string; readonly code: string; readonly text: string; readonly fatal: boolean
}

export type Said =
  | { readonly kind: 'sent' } & Record
  /** `offset` null: librdkafka knows from a later batch that it was stored, and was not told where. */
  | { readonly kind: 'acked'; readonly offset: number | null; readonly ms: number } & Record
  | { readonly kind: 'undelivered'; readonly code: string; readonly text: string } & Record
  | { readonly kind: 'read'; readonly offset: number; readonly producer: string } & Record & Reading
  | { readonly kind: 'sent-back'; readonly high: number; readonly before: number } & Reading
  /** It went to the offset `wanted` and was given another one. */
  | { readonly kind: 'astray'; readonly offset: number; readonly wanted: number } & Reading
  | SaidError
  | { readonly kind: 'done' }

/** Applications hear these and need do nothing: connections come back by themselves. */
const HARMLESS = new Set(['_TRANSPORT', '_ALL_BROKERS_DOWN', '_TIMED_OUT', '_RESOLVE'])

/** The client's name, as a producer and as a reader of the topic. */
export type Speaker = { readonly name: string; readonly topic: string }

export function noteSaid(said: Said, { name, topic }: Speaker, history: History): void {
  if (said.kind === 'done') return
  if (said.kind === 'error') {
    if (said.fatal || !HARMLESS.has(said.code))
      history.violation('clients go on', `${name} ${said.who}: ${said.code} ${said.text}`)
    return
  }
  const partition = `${topic}/${said.partition}`
  if (said.kind === 'sent-back' || said.kind === 'astray') {
    const what = said.kind === 'sent-back'
      ? `was shown the high watermark ${said.high} of ${partition} after ${said.before}`
      : `went to ${said.wanted} of ${partition} and was given ${said.offset}`
    history.violation('no client is sent back', `${said.reader ?? name} ${what}`)
    return
  }
  const { kind, counter } = said
  if (kind === 'undelivered') {
    history.violation('clients deliver', `${name} ${partition}, record ${counter}: ${said.code} ${said.text}`)
  } else if (kind === 'read') {
    const { reader = name, offset, producer } = said
    history.add({ kind, reader, partition, offset, record: { producer, counter } })
  } else if (kind === 'acked') {
    const { offset } = said
    const record = { producer: name, counter }
    history.add(offset === null ? { kind: 'acked unplaced', partition, record } : { kind, partition, offset, record })
  } else history.add({ kind, partition, record: { producer: name, counter } })
}
