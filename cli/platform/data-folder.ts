/** The data folder of a process: its own, and of one cluster from the first start on. */
import { resolve } from 'node:path'
import { sealJson, unsealJson } from '#shared/binary/sealed-json.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { type Files, readWholeFile, replaceFile } from '#shared/runtime/files.ts'
import { takeFolder } from './own-folder.ts'

const FORMAT = 1
const FORMAT_NAME = 'format.json'
const LOCK_NAME = 'lock'

export type DataFolder = {
  readonly path: string // absolute
  /** The cluster whose data is here; null: the folder is new. */
  readonly clusterId: string | null
  /** Writes the id once. @throws ZonewiseError CLUSTER_MISMATCH: the folder is of another cluster. */
  claim(clusterId: string): Promise<void>
  /** Gives the lock back. */
  close(): void
}

/** @throws ZonewiseError DATA_FOLDER_UNUSABLE, DATA_FOLDER_LOCKED, FORMAT_TOO_NEW, FILE_CORRUPT */
export async function openDataFolder(files: Files, folder: string): Promise<DataFolder> {
  const path = resolve(folder)
  const giveBack = await takeFolder(files, path, LOCK_NAME)
  try {
    let clusterId = await readFormat(files, path)
    return {
      path,
      get clusterId() { return clusterId },
      async claim(id) {
        if (clusterId !== null && clusterId !== id)
          throw new ZonewiseError('CLUSTER_MISMATCH', 'the data folder is of another cluster', { path, folder: clusterId, cluster: id })
        if (clusterId !== null) return
        await replaceFile(files, path, FORMAT_NAME, sealJson({ format: FORMAT, clusterId: id }))
        clusterId = id
      },
      close: giveBack
    }
  } catch (error) {
    giveBack()
    throw error
  }
}

async function readFormat(files: Files, path: string): Promise<string | null> {
  const bytes = await readWholeFile(files, `${path}/${FORMAT_NAME}`)
  if (bytes === null) return null
  const unsealed = unsealJson(bytes, FORMAT)
  if (unsealed.kind === 'newer')
    throw new ZonewiseError('FORMAT_TOO_NEW', 'the data folder has a newer format', { path, format: unsealed.format, known: FORMAT })
  if (unsealed.kind === 'damaged')
    throw new ZonewiseError('FILE_CORRUPT', 'the description of the data folder is damaged', { file: `${path}/${FORMAT_NAME}`, position: 0 })
  return String(unsealed.value['clusterId'])
}
