/** Helper process: appends to the journal in the folder of its argument and says every position that is durable. */
import { writeSync } from 'node:fs'
import { nodeFiles } from '#cli/platform/node-files.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { openFileJournal } from '#shared/journal/file-journal.ts'

const journal = await openFileJournal({
  files: nodeFiles, folder: process.argv[2]!, runtime: nodeRuntime, segmentBytes: 32_768, frameBytesMax: 16_384,
  recentBytesMax: 65_536, onFailure: (error) => { throw error }
})
setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive

async function appendForever(number: number): Promise<never> {
  await journal.create(number)
  const shard = await journal.shard(number)
  const { position: { epoch } } = await shard.lead(0)
  for (let seq = 0; ; seq++) {
    const body = new TextEncoder().encode(`${number}:${epoch}:${seq + 1} ${'.'.repeat((seq * 37) % 900)}`)
    const outcome = await shard.append(epoch, { epoch, seq }, [body])
    if (outcome.kind !== 'durable') throw new Error('fenced')
    writeSync(1, `${number} ${epoch} ${seq + 1}\n`)
    if (number < 4 && seq % 50 === 0) await shard.trim(epoch, { epoch, seq: seq - 20 })
  }
}

await Promise.all([0, 1, 2, 3, 4, 5].map(appendForever))
