/** Files kept open for reading, the least recently used closed first; one in use is closed after its last use. */
import type { Files, OpenFile } from '../runtime/files.ts'

type Handle = { readonly opened: Promise<{ file: OpenFile; size: number } | null>; users: number; dropped: boolean }

export class HandleCache {
  readonly #files: Files
  readonly #handlesMax: number
  readonly #handles = new Map<string, Handle>() // oldest use first

  constructor(files: Files, handlesMax: number) {
    this.#files = files
    this.#handlesMax = handlesMax
  }

  /** Runs `fn` with the open file and its size; null: there is no such file. */
  async use<T>(path: string, fn: (file: OpenFile, size: number) => Promise<T>): Promise<T | null> {
    const handle = this.#take(path)
    try {
      const opened = await handle.opened
      if (opened !== null) return await fn(opened.file, opened.size)
      this.drop(path)
      return null
    } catch (cause) {
      if (this.#handles.get(path) === handle) this.drop(path)
      throw cause
    } finally {
      handle.users -= 1
      this.#closeIfDone(handle)
    }
  }

  /** Forgets a file that was deleted or replaced. */
  drop(path: string): void {
    const handle = this.#handles.get(path)
    if (handle === undefined) return
    this.#handles.delete(path)
    handle.dropped = true
    this.#closeIfDone(handle)
  }

  async close(): Promise<void> {
    const handles = [...this.#handles]
    for (const [path] of handles) this.drop(path)
    await Promise.allSettled(handles.map(([, handle]) => handle.opened))
  }

  #take(path: string): Handle {
    let handle = this.#handles.get(path)
    if (handle === undefined) handle = { opened: this.#open(path), users: 0, dropped: false }
    else this.#handles.delete(path)
    this.#handles.set(path, handle)
    handle.users += 1
    if (this.#handles.size > this.#handlesMax) this.drop(this.#handles.keys().next().value!)
    return handle
  }

  async #open(path: string): Promise<{ file: OpenFile; size: number } | null> {
    const file = await this.#files.open(path, 'read')
    return file === null ? null : { file, size: await file.bytes() }
  }

  #closeIfDone(handle: Handle): void {
    if (!handle.dropped || handle.users > 0) return
    // nothing was written: nothing to lose
    handle.opened.then((opened) => opened?.file.close(), () => {}).catch(() => {})
  }
}
