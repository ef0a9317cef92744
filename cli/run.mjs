// `node cli/run.mjs FILE ARGS`: what npm's scripts run, on Node 26, whatever Node (18 or newer) the system has.
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { onNewNode } from './launch.mjs'

const [file = '', ...args] = process.argv.slice(2)

if (onNewNode(fileURLToPath(import.meta.url), [file, ...args])) {
  const script = resolve(file)
  process.argv.splice(1, process.argv.length, script, ...args)
  await import(pathToFileURL(script).href)
}
