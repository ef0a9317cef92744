/** The catalog as every node reads it: its view of the catalog shard. */
import { CATALOG_SHARD } from '#shared/cluster/membership.ts'
import type { CatalogReader, TopicInfo } from '#shared/cluster/catalog-reader.ts'
import { CLUSTER_VERSIONS } from '#shared/cluster/cluster-version.ts'
import type { Cancel, Timer } from '#shared/runtime/runtime.ts'
import type { ShardView, ShardViews } from '../shard/shard-view.ts'
import type { CatalogState } from './catalog-state.ts'

const TOUCH_MS = 500 // shorter than any viewIdleMs: the catalog is followed all the time

export class CatalogView implements CatalogReader {
  readonly #view: ShardView
  readonly #timer: Timer
  readonly #stopAdvance: () => void
  readonly #watchers = new Set<() => void>()
  #topics: readonly TopicInfo[] | null = null // by name, until the next change
  #cancelTouch: Cancel = () => {}

  /** Resolves when the view's first barrier has passed. @throws as ShardView.barrier */
  static async open(views: ShardViews, timer: Timer): Promise<CatalogView> {
    return new CatalogView(await views.view(CATALOG_SHARD), timer)
  }

  constructor(view: ShardView, timer: Timer) {
    this.#view = view
    this.#timer = timer
    this.#stopAdvance = view.onAdvance(() => this.#changed())
    this.#touch()
  }

  topicByName(name: string): TopicInfo | null {
    return this.#catalog.topicsByName.get(name) ?? null
  }

  topicById(topicId: string): TopicInfo | null {
    return this.#catalog.topics.get(topicId) ?? null
  }

  topics(): readonly TopicInfo[] {
    this.#topics ??= [...this.#catalog.topicsByName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    return this.#topics
  }

  barrier(): Promise<void> {
    return this.#view.barrier()
  }

  producerIdIssuedMs(producerId: number): number | null {
    const ranges = this.#catalog.producerIds
    let [low, high] = [0, ranges.length] // the first range that ends above the id lies in [low, high]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (ranges[middle]!.endId > producerId) high = middle
      else low = middle + 1
    }
    const range = ranges[low]
    return range !== undefined && producerId >= range.firstId ? range.timeMs : null
  }

  clusterVersion(): number {
    return this.#catalog.cluster?.clusterVersion ?? CLUSTER_VERSIONS.min
  }

  watch(fn: () => void): () => void {
    const watcher = (): void => fn() // one function may watch twice
    this.#watchers.add(watcher)
    return () => { this.#watchers.delete(watcher) }
  }

  close(): void {
    this.#stopAdvance()
    this.#cancelTouch()
    this.#watchers.clear()
  }

  get #catalog(): CatalogState {
    return this.#view.state.catalog
  }

  #changed(): void {
    this.#topics = null
    for (const watcher of this.#watchers) watcher()
  }

  #touch(): void {
    this.#view.touch()
    this.#cancelTouch = this.#timer.after(TOUCH_MS, () => this.#touch())
  }
}
