/** `node test/bench/tool/profile.ts FILE.cpuprofile`: where the time of a profile went, by function and by file. */
import { readFileSync } from 'node:fs'

type Node = { readonly id: number; readonly callFrame: {
  readonly functionName: string; readonly url: string; readonly lineNumber: number
} }
type Profile =
  { readonly nodes: readonly Node[]; readonly samples: readonly number[]; readonly timeDeltas: readonly number[] }

const TOP = 45

const profile = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Profile
const byId = new Map(profile.nodes.map((node) => [node.id, node]))
const functions = new Map<string, number>()
let totalUs = 0
profile.samples.forEach((id, i) => {
  const { functionName, url, lineNumber } = byId.get(id)!.callFrame
  const us = profile.timeDeltas[i] ?? 0
  const place = url.replace(/^.*\/(shared|gateway|broker|cli|node_modules)\//, '$1/')
  const name =
    `${functionName === '' ? '(anonymous)' : functionName} ${place}${lineNumber < 0 ? '' : `:${lineNumber + 1}`}`
  functions.set(name, (functions.get(name) ?? 0) + us)
  if (functionName !== '(idle)') totalUs += us
})
const idle = [...functions].filter(([name]) => name.startsWith('(idle)')).reduce((sum, [, us]) => sum + us, 0)
process.stdout.write(`busy ${(totalUs / 1e6).toFixed(2)} s, idle ${(idle / 1e6).toFixed(2)} s\n`)
for (const [name, us] of [...functions].sort((a, b) => b[1] - a[1]).slice(0, TOP)) {
  process.stdout.write(
    `${(us / 1e3).toFixed(0).padStart(8)} ms ${(us / totalUs * 100).toFixed(1).padStart(5)} %  ${name}\n`
  )
}
