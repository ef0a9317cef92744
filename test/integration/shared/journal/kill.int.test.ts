/**
 * Goal: what was acknowledged outlives kill -9, over many lives of one folder.
 * Method: a process appends to six shards, four of which it trims, and is killed at a random moment; its journal is
 * opened and must hold every position it said, with its bytes and an unbroken chain.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeFiles } from '#cli/platform/node-files.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { openFileJournal } from '#shared/journal/file-journal.ts'
import { comparePositions, type Position, POSITION_NONE } from '#shared/journal/journal.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'

const APPENDER = fileURLToPath(new URL('append-forever.child.ts', import.meta.url))
const LIVES = 6
const awake = setInterval(() => {}, 1_000)
after(() => { clearInterval(awake) })

/** The newest position said for each shard. */
function runAndKill(folder: string, ms: number): Promise<Map<number, Position>> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [APPENDER, folder], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    let complaint = ''
    child.stdout.on('data', (bytes: Buffer) => {
      if (said === '') setTimeout(() => child.kill('SIGKILL'), ms)
      said += bytes.toString()
    })
    child.stderr.on('data', (bytes: Buffer) => { complaint += bytes.toString() })
    child.once('close', () => {
      if (complaint !== '') return reject(new Error(complaint))
      const newest = new Map<number, Position>()
      for (const line of said.split('\n').slice(0, -1)) {
        const [shard, epoch, seq] = line.split(' ').map(Number) as [number, number, number]
        newest.set(shard, { epoch, seq })
      }
      resolve(newest)
    })
  })
}

test('file-journal: every acknowledged append outlives kill -9', async () => {
  const folder = `${temporaryFolder()}/journal`
  for (let life = 1; life <= LIVES; life++) {
    const said = await runAndKill(folder, 50 + nodeRuntime.chance.below(300))
    assert.ok(said.size > 0)
    const journal = await openFileJournal({
      files: nodeFiles, folder, runtime: nodeRuntime, segmentBytes: 32_768, frameBytesMax: 16_384, recentBytesMax: 0,
      onFailure: (error) => { throw error }
    })
    for (const [number, position] of said) {
      const shard = await journal.shard(number)
      const groups = await shard.read(POSITION_NONE, { groupsMax: 1_000_000, bytesMax: 1e9 })
      assert.ok(comparePositions((await shard.end()).position, position) >= 0)
      for (let at = 1; at < groups.length; at++) {
        assert.deepEqual(groups[at]!.after, groups[at - 1]!.position)
        assert.equal(groups[at]!.afterCrc, groups[at - 1]!.crc)
      }
      for (const { position: { epoch, seq }, body } of groups)
        if (seq > 0) assert.ok(Buffer.from(body).toString().startsWith(`${number}:${epoch}:${seq} `))
      if (number >= 4) assert.deepEqual(groups[0]!.after, POSITION_NONE) // never trimmed: complete from the start
    }
    await journal.close()
  }
})
