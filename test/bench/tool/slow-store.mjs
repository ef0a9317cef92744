// For `node --import`: an object of the file store appears a second after it was written, as in a store far away.
import fs from 'node:fs'

const DELAY_MS = 1_000
const link = fs.link.bind(fs)
fs.link = (from, to, done) => { setTimeout(() => { link(from, to, done) }, DELAY_MS) }
