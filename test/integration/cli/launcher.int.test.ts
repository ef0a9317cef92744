/** Goal: `zonewise.mjs` runs on an old Node by handing over to the new one, with arguments, streams, signals and codes. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ZONEWISE = fileURLToPath(new URL('../../../cli/zonewise.mjs', import.meta.url))

function oldNode(): string | null {
  for (const path of (process.env['PATH'] ?? '').split(':')) {
    try {
      const version = execFileSync(`${path}/node`, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      if (Number(/^v(\d+)/.exec(version)?.[1]) < 26) return `${path}/node`
    } catch {
      // no node in this folder
    }
  }
  return null
}

const old = oldNode()

test('launcher: hands arguments and exit codes through an older Node', { skip: old === null ? 'no older Node here' : false }, () => {
  const version = spawnSync(old!, [ZONEWISE, '--version'], { encoding: 'utf8' })
  assert.equal(version.status, 0)
  assert.match(version.stdout, /^\d+\.\d+\.\d+/)
  assert.equal(spawnSync(old!, [ZONEWISE, 'nonsense'], { encoding: 'utf8' }).status, 2)
})

test('launcher: a missing Node 26 is one sentence', { skip: old === null ? 'no older Node here' : false }, () => {
  const env = { ...process.env, ZONEWISE_NODE_CHOSEN: '1' }
  const ran = spawnSync(old!, [ZONEWISE, '--version'], { encoding: 'utf8', env })
  assert.equal(ran.status, 1)
  assert.match(ran.stderr, /^zonewise needs Node 26 or newer, this is v\d+.*\n$/)
})
