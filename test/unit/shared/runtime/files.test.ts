import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeFolderDurably, type Files } from '#shared/runtime/files.ts'

function filesWith(folders: readonly string[]): { files: Files; calls: string[] } {
  const known = new Set(folders)
  const calls: string[] = []
  const files = {
    info: async (path: string) => (known.has(path) ? { bytes: 0, modifiedMs: 0, folder: true } : null),
    makeFolder: async (path: string) => { known.add(path); calls.push(`make ${path}`) },
    syncFolder: async (path: string) => { calls.push(`sync ${path}`) }
  } as unknown as Files
  return { files, calls }
}

test('files: every folder that is new gets a durable name, one that was there costs nothing', async () => {
  const { files, calls } = filesWith(['/srv'])
  await makeFolderDurably(files, '/srv/zonewise/data/store')
  const made = ['make /srv/zonewise/data/store', 'sync /srv/zonewise/data', 'sync /srv/zonewise', 'sync /srv']
  assert.deepEqual(calls, made)
  calls.length = 0
  await makeFolderDurably(files, '/srv/zonewise/data/store')
  assert.deepEqual(calls, ['make /srv/zonewise/data/store'])
})

test('files: a folder below the root is made durable in the root', async () => {
  const { files, calls } = filesWith([])
  await makeFolderDurably(files, '/data')
  assert.deepEqual(calls, ['make /data', 'sync /'])
})
