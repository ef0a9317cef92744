/** What makes the store of a server slow: options of its Node. */
import { fileURLToPath } from 'node:url'

export const SLOW_STORE = `--import ${fileURLToPath(new URL('slow-store.mjs', import.meta.url))}`
