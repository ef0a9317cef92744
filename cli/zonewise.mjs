#!/usr/bin/env node
// The command `zonewise`, whatever Node (18 or newer) the system has.
import { fileURLToPath } from 'node:url'
import { onNewNode, setFlags } from './launch.mjs'

// Young objects of a server in MB: half of what the engine takes on a big machine, for some percent of CPU time.
const SERVER_FLAGS = ['--max-semi-space-size=16']
const FILE_THREADS = '16' // chunks that are written and synced must not hold up the journal's sync
const args = process.argv.slice(2)

const script = fileURLToPath(import.meta.url)
const flags = args[0] === 'start' ? SERVER_FLAGS : []

if (onNewNode(script, args, flags)) {
  setFlags(script, args, flags)
  process.env.UV_THREADPOOL_SIZE ??= FILE_THREADS // read once, at the first file call that is not synchronous
  const { enableCompileCache } = await import('node:module')
  enableCompileCache()
  const { main } = await import('./main.ts').catch(refuseBelowModules)
  await main(args)
}

/** Node runs no TypeScript below node_modules: the package is private until it is published as JavaScript. */
function refuseBelowModules(error) {
  if (error.code !== 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING') throw error
  console.error('zonewise does not run from node_modules yet: clone the repository, and run "npm ci" there')
  process.exit(1)
}
