/**
 * Goal: what real clients produce in one zone, every client reads in every zone, and no payload crosses.
 * Method: 200,000 rows of real flights, keyed by distance, by kcat and by kafkajs into zone 1; read back by kcat,
 * kafkajs, @platformatic/kafka and python3-kafka in all three zones; a digest over (partition, offset, key, value).
 * Then what clients rely on besides (behaviours.ts). `--cluster` runs it on a cluster of three processes.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkBehaviours } from './behaviours.ts'
import { consumeWith, produceWithKafkajs, READERS, run, type Row } from './clients.ts'
import { cluster, embedded } from './server.ts'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '..', '..')
const TIMEOUT_MS = 900_000

let [passed, failed] = [0, 0]

function check(name: string, ok: boolean, detail = ''): void {
  if (ok) passed += 1
  else failed += 1
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}${detail === '' ? '' : `: ${detail}`}`)
}

/** One digest for all rows, whatever the order in which a client hands out partitions. */
function digest(rows: readonly Row[]): string {
  const sorted = [...rows].sort((a, b) => a.partition - b.partition || a.offset - b.offset)
  const hash = createHash('sha256')
  for (const { partition, offset, key, value } of sorted) hash.update(`${partition} ${offset} ${key} ${value}\n`)
  return hash.digest('hex')
}

/** What went in, without places: (key, value) sorted. */
function content(rows: readonly { key: string; value: string }[]): string {
  const hash = createHash('sha256')
  for (const line of rows.map(({ key, value }) => `${key} ${value}`).sort()) hash.update(`${line}\n`)
  return hash.digest('hex')
}

async function readEverywhere(
  topic: string, zones: readonly string[], sent: readonly { key: string; value: string }[]
): Promise<void> {
  const digests = new Set<string>()
  for (const [z, bootstrap] of zones.entries()) {
    for (const reader of READERS) {
      const startedMs = Date.now()
      const rows = await consumeWith(reader, bootstrap, topic, sent.length)
      digests.add(digest(rows))
      const same = rows.length === sent.length && content(rows) === content(sent)
      check(
        `${topic}: ${reader} in zone ${z + 1} reads what was produced`, same,
        `${rows.length} records in ${Date.now() - startedMs} ms`
      )
    }
  }
  check(
    `${topic}: every reader saw the same record at the same offset`, digests.size === 1, `${digests.size} digest(s)`
  )
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'zonewise-clients-'))
  const server = await (process.argv.includes('--cluster') ? cluster : embedded)(folder)
  try {
    const flights = JSON.parse(
      readFileSync(join(here, 'node_modules/vega-datasets/data/flights-200k.json'), 'utf8')
    ) as { distance: number }[]
    const sent =
      flights.map((row) => ({
        key: Buffer.from(String(row.distance)).toString('hex'), value: Buffer.from(JSON.stringify(row)).toString('hex')
      }))
    const lines = flights.map((row) => `${row.distance}\t${JSON.stringify(row)}\n`).join('')
    const { zones } = server
    const [first = ''] = zones
    const cli = (args: string[]): Promise<string> =>
      run(process.execPath, [join(root, 'cli/zonewise.mjs'), ...args, '--bootstrap-server', first])
    for (const topic of ['flights-kcat', 'flights-kafkajs', 'bytes']) {
      await cli(['topic', 'create', topic, '--partitions', '6'])
    }
    check('zonewise topic list names the topics', (await cli(['topic', 'list'])).includes('flights-kcat'))
    await run('kcat', ['-b', first, '-P', '-t', 'flights-kcat', '-K', '\t', '-X', 'enable.idempotence=true'], lines)
    await readEverywhere('flights-kcat', zones, sent)
    await produceWithKafkajs(first, 'flights-kafkajs', sent)
    await readEverywhere('flights-kafkajs', zones, sent)
    const image = readFileSync(join(here, 'node_modules/vega-datasets/data/7zip.png'))
    const binary = [{ key: Buffer.from('image').toString('hex'), value: image.toString('hex') }]
    await produceWithKafkajs(first, 'bytes', binary)
    await readEverywhere('bytes', zones, binary)

    await checkBehaviours(first, zones[1] ?? '', check)

    const ledger = await fetch(`http://${server.http}/api/ledger`)
    const { rows } = await ledger.json() as { rows: { payload: boolean; crosses: boolean; bytes: number }[] }
    const crossing =
      rows.filter(({ payload, crosses }) => payload && crosses).reduce((sum, { bytes }) => sum + bytes, 0)
    check(
      'no payload byte crossed a zone',
      crossing === 0 && rows.some(({ payload, bytes }) => payload && bytes > 1_000_000), `${crossing} payload bytes`
    )

    await server.crash()
    const again = await consumeWith('kcat', server.zones[2] ?? '', 'flights-kcat', sent.length)
    check(
      'after kill -9 and a restart every record is there', content(again) === content(sent), `${again.length} records`
    )
    const codes = await server.stop()
    check('SIGTERM ends with exit code 0', codes.every((code) => code === 0), `exit code ${codes.join()}`)
  } finally {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

const late = setTimeout(() => { console.log(`FAIL not done after ${TIMEOUT_MS} ms`); process.exit(1) }, TIMEOUT_MS)
try {
  await main()
} catch (error) {
  check('the run itself', false, error instanceof Error ? error.stack ?? error.message : String(error))
}
clearTimeout(late)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
