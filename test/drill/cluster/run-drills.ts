/** Runs drills on a cluster, one after the other, and says what came of it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ZoneNet } from '#infra/local/zone-net.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { DRILLS, SHORT } from './drills.ts'
import type { ClientProgram } from './client-process.ts'
import { javaObstacle, javaReaders } from './java-readers.ts'
import { librdkafkaPython } from './librdkafka-python.ts'
import { clientsMarkdownOf, markdownOf } from './report.ts'
import { type DrillReport, runDrill } from './run-drill.ts'

const VIOLATIONS_SHOWN = 20

export type DrillsOptions = {
  readonly names: readonly string[] // `all` and `short` stand for several
  readonly seed: number
  readonly partitions: number
  readonly folder: string | undefined // kept
  readonly json: string | undefined // a file
  readonly logLevel: string // of the nodes, into the folder
  readonly older: string | undefined // a checkout of an older version, its packages installed
  readonly print: (line: string) => void
}

/** @returns whether nothing happened that may never happen; null: this machine allows no network namespaces. */
export async function runDrills(options: DrillsOptions): Promise<boolean | null> {
  const { names, seed, partitions, folder, json, logLevel, older, print } = options
  const obstacle = ZoneNet.obstacle()
  if (obstacle !== null) {
    print(`SKIPPED: ${obstacle}`)
    return null
  }
  const python = await librdkafkaPython(print)
  const java = namesOf(names).some((name) => DRILLS[name]!.readers === true) ? await javaOf(print) : null
  const reports: DrillReport[] = []
  for (const name of namesOf(names)) {
    const drill = DRILLS[name]!
    print(`== ${name}: ${drill.what}`)
    if (drill.older === true && older === undefined) {
      print('SKIPPED: name a checkout of an older version, with its packages installed: --older FOLDER')
      continue
    }
    const report = await runDrill({
      name, drill, folder: join(folder ?? temporaryFolder(), `${name}-${process.pid}`), python, java, seed,
      widePartitions: partitions, logLevel, older, keep: folder !== undefined, echo: print
    })
    reports.push(report)
    const { counts: { sent, acked, read, stored }, violations, warnings } = report
    print(`records: ${sent} sent, ${acked} acked, ${read} read, ${stored} stored`)
    for (const [message, count] of Object.entries(warnings)) print(`warned ${count} times: ${message}`)
    for (const { rule, what } of violations.slice(0, VIOLATIONS_SHOWN)) print(`VIOLATION ${rule}: ${what}`)
    print(violations.length === 0 ? 'no violation' : `${violations.length} violations`)
  }
  print(`\n${markdownOf(reports)}\n\n${clientsMarkdownOf(reports)}`)
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(reports, null, 2)}\n`)
  return reports.every(({ violations }) => violations.length === 0)
}

async function javaOf(print: (line: string) => void): Promise<ClientProgram | null> {
  const obstacle = javaObstacle()
  if (obstacle === null) return javaReaders(print)
  print(`SKIPPED: the readers in Java: ${obstacle}`)
  return null
}

export function unknownNames(names: readonly string[]): string[] {
  return namesOf(names).filter((name) => DRILLS[name] === undefined)
}

function namesOf(names: readonly string[]): string[] {
  return names.flatMap((name) => name === 'all' ? Object.keys(DRILLS) : name === 'short' ? SHORT : [name])
}
