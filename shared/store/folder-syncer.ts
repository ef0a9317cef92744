/**
 * Makes folders and their names durable. Calls that come while a sync of the same folder runs share the next one:
 * a name that was there when a sync began is durable when it ends.
 */
import type { Files } from '../runtime/files.ts'

const KNOWN_MAX = 4_096 // folders remembered as durable; a forgotten one only costs a mkdir and a sync

type Group = { running: Promise<void>; next: Promise<void> | null }

export class FolderSyncer {
  readonly #files: Files
  readonly #root: string
  readonly #groups = new Map<string, Group>() // folders with a sync in flight
  readonly #known = new Map<string, Promise<void>>()

  constructor(files: Files, root: string) {
    this.#files = files
    this.#root = root
  }

  /** Makes `folder` (the root or below it) and resolves when it and those above are durable. */
  make(folder: string): Promise<void> {
    const known = this.#known.get(folder)
    if (known !== undefined) return known
    const made = this.#make(folder)
    this.#known.set(folder, made)
    if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.keys().next().value!)
    made.catch(() => { if (this.#known.get(folder) === made) this.#known.delete(folder) })
    return made
  }

  /** Resolves when every name that is in `folder` now is durable. */
  sync(folder: string): Promise<void> {
    const group = this.#groups.get(folder)
    if (group === undefined) return this.#start(folder)
    return (group.next ??= group.running.then(() => this.#start(folder), () => this.#start(folder)))
  }

  #start(folder: string): Promise<void> {
    const running = this.#files.syncFolder(folder)
    const group: Group = { running, next: null }
    this.#groups.set(folder, group)
    const ended =
      (): void => { if (group.next === null && this.#groups.get(folder) === group) this.#groups.delete(folder) }
    running.then(ended, ended)
    return running
  }

  async #make(folder: string): Promise<void> {
    await this.#files.makeFolder(folder)
    for (let at = folder; at.length > this.#root.length;) {
      at = at.slice(0, at.lastIndexOf('/'))
      await this.sync(at)
    }
  }
}
