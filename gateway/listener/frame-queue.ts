/** Frames that wait for their turn, oldest first. */
export class FrameQueue {
  #frames: Buffer[] = []
  #head = 0

  get first(): Buffer | undefined {
    return this.#frames[this.#head]
  }

  push(frame: Buffer): void {
    this.#frames.push(frame)
  }

  /** Takes the first away. */
  shift(): void {
    this.#head += 1
    if (this.#head < this.#frames.length) return
    this.#frames = []
    this.#head = 0
  }
}
