import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { nodeFiles } from '#cli/platform/node-files.ts'
import type { ErrorCode } from '#shared/errors/error-codes.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { readWholeFile, replaceFile } from '#shared/runtime/files.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const fails = (code: ErrorCode, path?: string) => (error: unknown): boolean =>
  error instanceof ZonewiseError && error.code === code && (path === undefined || error.context['path'] === path)

test('node-files: more buffers than the kernel takes at once are written in order', async () => {
  const path = `${temporaryFolder()}/f`
  const chunks = Array.from({ length: 5_000 }, (_, n) => Buffer.from(`${n},`))
  const file = await nodeFiles.create(path)
  await file.write(10, [new Uint8Array(0), ...chunks, new Uint8Array(0)])
  await file.sync()
  const expected = Buffer.concat(chunks)
  assert.equal(await file.bytes(), 10 + expected.byteLength)
  assert.ok(expected.equals(await file.read(10, expected.byteLength + 99)))
  assert.equal((await file.read(1e9, 5)).byteLength, 0)
  assert.equal((await file.read(0, 0)).byteLength, 0)
  await file.write(0, [])
  await file.close()
})

test('node-files: what is missing is null or false, what is in the way is refused with its path', async () => {
  const folder = temporaryFolder()
  assert.equal(await nodeFiles.open(`${folder}/none`, 'read'), null)
  assert.equal(await nodeFiles.info(`${folder}/none`), null)
  assert.equal(await nodeFiles.readFolder(`${folder}/none`), null)
  assert.equal(await nodeFiles.remove(`${folder}/none`), false)
  writeFileSync(`${folder}/taken`, 'x')
  await assert.rejects(nodeFiles.create(`${folder}/taken`), fails('STORE_REFUSED', `${folder}/taken`))
  await assert.rejects(nodeFiles.makeFolder(`${folder}/taken/below`), fails('STORE_REFUSED'))
  assert.equal(await nodeFiles.link(`${folder}/taken`, `${folder}/second`), true)
  assert.equal(await nodeFiles.link(`${folder}/taken`, `${folder}/second`), false)
  mkdirSync(`${folder}/sub`)
  await assert.rejects(nodeFiles.rename(`${folder}/taken`, `${folder}/sub`), fails('STORE_REFUSED'))
  await assert.rejects(nodeFiles.link(`${folder}/none`, `${folder}/third`), fails('STORE_UNAVAILABLE'))
  assert.ok((await nodeFiles.freeBytes(folder)) > 0)
})

test('node-files: a full disk is told apart', async (t) => {
  const full = await nodeFiles.open('/dev/full', 'write').catch(() => null)
  if (full === null) return t.skip('there is no /dev/full here')
  await assert.rejects(full.write(0, [new Uint8Array(4_096)]), fails('STORE_FULL', '/dev/full'))
  await full.close()
})

test('files: a small file is replaced whole, also over what a crash left', async () => {
  const folder = temporaryFolder()
  writeFileSync(`${folder}/.small.tmp`, 'half')
  for (const content of ['one', 'a longer one', '']) {
    await replaceFile(nodeFiles, folder, 'small', Buffer.from(content))
    assert.equal(Buffer.from((await readWholeFile(nodeFiles, `${folder}/small`))!).toString(), content)
  }
  assert.equal(await readWholeFile(nodeFiles, `${folder}/none`), null)
})
