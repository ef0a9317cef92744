/** The small file beside the segments: which cluster owns the journal and which shards it holds. */
import { sealJson, unsealJson } from '../binary/sealed-json.ts'
import { ZonewiseError } from '../errors/zonewise-error.ts'
import { Coalesced } from '../runtime/coalesced.ts'
import { type Files, readWholeFile, replaceFile } from '../runtime/files.ts'

const NAME = 'journal.json'
const FORMAT = 1

type Content = { readonly format: number; readonly clusterId: string | null; readonly shards: readonly number[] }

export class JournalMeta {
  readonly #files: Files
  readonly #folder: string
  readonly shards: Set<number>
  clusterId: string | null
  readonly #saves = new Coalesced(() => this.#write())

  private constructor(files: Files, folder: string, { clusterId, shards }: Content) {
    this.#files = files
    this.#folder = folder
    this.clusterId = clusterId
    this.shards = new Set(shards)
  }

  /** @throws ZonewiseError FORMAT_TOO_NEW, JOURNAL_CORRUPT */
  static async load(files: Files, folder: string): Promise<JournalMeta> {
    const path = `${folder}/${NAME}`
    const bytes = await readWholeFile(files, path)
    if (bytes === null) return new JournalMeta(files, folder, { format: FORMAT, clusterId: null, shards: [] })
    const unsealed = unsealJson(bytes, FORMAT)
    if (unsealed.kind === 'newer')
      throw new ZonewiseError('FORMAT_TOO_NEW', 'a journal of a newer format', { file: path, format: unsealed.format })
    if (unsealed.kind === 'damaged')
      throw new ZonewiseError('JOURNAL_CORRUPT', 'the description of the journal is damaged', { file: path, position: 0 })
    return new JournalMeta(files, folder, unsealed.value as Content)
  }

  /** Makes what is set now durable; calls that come together share one write. */
  save(): Promise<void> {
    return this.#saves.run()
  }

  #write(): Promise<void> {
    const content: Content = { format: FORMAT, clusterId: this.clusterId, shards: [...this.shards].sort((a, b) => a - b) }
    return replaceFile(this.#files, this.#folder, NAME, sealJson(content))
  }
}
