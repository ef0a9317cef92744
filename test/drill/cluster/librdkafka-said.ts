/** What librdkafka.py says, and what of it goes into the history. Pure. */
import type { History } from '#test/simulation/check/history.ts'

type Place = { readonly partition: number }
type Record = Place & { readonly counter: number }

type SaidError = {
  readonly kind: 'error'; readonly who: string; readonly code: string; readonly text: string; readonly fatal: boolean
}

export type Said =
  | { readonly kind: 'sent' } & Record
  | { readonly kind: 'acked'; readonly offset: number; readonly ms: number } & Record
  | { readonly kind: 'undelivered'; readonly code: string; readonly text: string } & Record
  | { readonly kind: 'read'; readonly offset: number; readonly producer: string } & Record
  | { readonly kind: 'sent-back'; readonly high: number; readonly before: number } & Place
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
      history.violation('librdkafka goes on', `${name} ${said.who}: ${said.code} ${said.text}`)
    return
  }
  const partition = `${topic}/${said.partition}`
  if (said.kind === 'sent-back') {
    const what = `${name} was shown the high watermark ${said.high} of ${partition} after ${said.before}`
    history.violation('no client is sent back', what)
    return
  }
  const { kind, counter } = said
  if (kind === 'undelivered') {
    history.violation('librdkafka delivers', `${name} ${partition}, record ${counter}: ${said.code} ${said.text}`)
  } else if (kind === 'read') {
    history.add({ kind, reader: name, partition, offset: said.offset, record: { producer: said.producer, counter } })
  } else if (kind === 'acked') {
    history.add({ kind, partition, offset: said.offset, record: { producer: name, counter } })
  } else history.add({ kind, partition, record: { producer: name, counter } })
}
