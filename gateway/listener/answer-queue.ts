/**
 * Answers of one connection, in the order of its requests (PROTOCOL 1), whatever order they become ready in.
 * Everything ready at the head leaves together in one write a turn.
 */
import type { LedgerCell } from '#shared/ledger/ledger.ts'
import type { ApiMetrics } from '../metrics.ts'
import type { Context } from './client.ts'

export type Answer = {
  readonly frame: Buffer // its request, held until it is answered
  readonly context: Context // told when the answer was taken over, or dropped
  readonly pipelined: boolean
  readonly outCell: LedgerCell
  readonly startedMs: number
  readonly metrics: ApiMetrics
  ready: boolean
  chunks: readonly Uint8Array[] | null // null: the protocol has no answer
  failed: boolean // the connection ends here
}

const COMPACT_AT = 64 // answers taken from the front before the list is shifted

export class AnswerQueue {
  #answers: Answer[] = []
  #head = 0
  #unpipelined = 0

  get length(): number {
    return this.#answers.length - this.#head
  }

  /** Whether all that is in work may be joined by more of its kind. */
  get allPipelined(): boolean {
    return this.#unpipelined === 0
  }

  push(answer: Answer): void {
    this.#answers.push(answer)
    if (!answer.pipelined) this.#unpipelined += 1
  }

  /** Takes the oldest answer if it is ready. */
  takeReady(): Answer | null {
    const answer = this.#answers[this.#head]
    if (answer === undefined || !answer.ready) return null
    this.#head += 1
    if (!answer.pipelined) this.#unpipelined -= 1
    if (this.#head === this.#answers.length) {
      this.#answers.length = 0
      this.#head = 0
    } else if (this.#head >= COMPACT_AT) {
      this.#answers.splice(0, this.#head)
      this.#head = 0
    }
    return answer
  }
}
