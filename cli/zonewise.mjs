#!/usr/bin/env node
// Plain JavaScript that Node 18 can read: runs main.ts on Node 26, the one in node_modules if the system's is older.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 26
const FILE_THREADS = '16' // chunks that are written and synced must not hold up the journal's sync
const here = dirname(fileURLToPath(import.meta.url))

/** The Node 26 that npm installed with Zonewise: beside it in a checkout, or hoisted above it in another project. */
function installedNode() {
  const name = process.platform === 'win32' ? 'node.cmd' : 'node'
  for (let folder = dirname(here); ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', '.bin', name)
    if (existsSync(found)) return found
    if (dirname(folder) === folder) return null
  }
}

function runOnInstalledNode() {
  const node = installedNode()
  if (node === null || process.env.ZONEWISE_NODE_CHOSEN === '1') {
    console.error(`zonewise needs Node ${NODE_MAJOR_MIN} or newer, this is ${process.version}: ` +
      'run "npm ci" without --omit=optional, or put a newer node on the PATH')
    process.exit(1)
  }
  const env = { ...process.env, ZONEWISE_NODE_CHOSEN: '1' }
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc'] // over the channel the child notices that this process is gone
  const child = spawn(node, [join(here, 'zonewise.mjs'), ...process.argv.slice(2)], { stdio, env })
  const ended = (signal) => process.exit(128 + (constants.signals[signal] ?? 0))
  // A terminal's Ctrl-C reaches the child twice then, at once: it takes both as one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`zonewise cannot run ${node}: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => (signal === null ? process.exit(code ?? 1) : ended(signal)))
}

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  runOnInstalledNode()
} else {
  process.env.UV_THREADPOOL_SIZE ??= FILE_THREADS // read once, at the first file call that is not synchronous
  if (process.env.ZONEWISE_NODE_CHOSEN === '1') {
    delete process.env.ZONEWISE_NODE_CHOSEN // ZONEWISE_ variables are settings from here on
    process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
    process.channel?.unref()
  }
  const { enableCompileCache } = await import('node:module')
  enableCompileCache()
  const { main } = await import('./main.ts')
  await main(process.argv.slice(2))
}
