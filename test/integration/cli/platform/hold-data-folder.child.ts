/** Helper process: opens the data folder of its argument, says so, and holds it until it is killed. */
import { openDataFolder } from '#cli/platform/data-folder.ts'
import { nodeFiles } from '#cli/platform/node-files.ts'

await openDataFolder(nodeFiles, process.argv[2]!)
process.stdout.write('held\n')
setInterval(() => {}, 1_000)
