/** `npm run docs`: writes the generated pages of docs/. A test fails when they are not in step. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { renderDocs } from './render.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
for (const [path, text] of renderDocs()) {
  writeFileSync(join(root, path), text)
  process.stdout.write(`${path}\n`)
}
