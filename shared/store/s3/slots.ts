/** Calls of one kind under way at a time; the others wait in their order, and not too many of them. */
import { ZonewiseError } from '../../errors/zonewise-error.ts'
import type { CallLife } from './call-life.ts'

export class Slots {
  readonly #slotsMax: number
  readonly #waitingMax: number
  readonly #waiting = new Set<() => void>() // in the order of their coming
  #taken = 0

  constructor({ slotsMax, waitingMax }: { readonly slotsMax: number; readonly waitingMax: number }) {
    this.#slotsMax = slotsMax
    this.#waitingMax = waitingMax
  }

  /** Resolves when there is room: `give` it back. @throws ZonewiseError STORE_UNAVAILABLE: nothing was sent. */
  take(life: CallLife): Promise<void> | void {
    if (life.over) throw new ZonewiseError('STORE_UNAVAILABLE', 'the call ended before its turn')
    if (this.#taken < this.#slotsMax) {
      this.#taken += 1
      return
    }
    if (this.#waiting.size >= this.#waitingMax)
      throw new ZonewiseError('STORE_UNAVAILABLE', 'too many calls wait', { waitingMax: this.#waitingMax })
    return this.#wait(life)
  }

  /** Hands the slot to who waits longest. */
  give(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#taken -= 1
    else next()
  }

  #wait(life: CallLife): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        this.#waiting.delete(turn)
        forget()
        resolve()
      }
      const forget = life.onEnd(() => {
        this.#waiting.delete(turn)
        const waiting = this.#waiting.size
        reject(new ZonewiseError('STORE_UNAVAILABLE', 'the call ended before its turn', { waiting }))
      })
      this.#waiting.add(turn)
    })
  }
}
