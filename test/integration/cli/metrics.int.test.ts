/**
 * Goal: the metrics of a running server say what really happened, all of them are there, and their number is bounded.
 * Method: real traffic of known size through three zones, then one look at /metrics, held against the traffic, against
 * each other and against the ledger.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { METRICS_TABLES } from '#cli/metrics-tables.ts'
import type { LedgerRow } from '#shared/ledger/ledger.ts'
import { Scrape } from '#test/support/prometheus.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { startServer, type Server, zonewise } from '#test/support/zonewise-process.ts'

const ZONES = ['zone-a', 'zone-b', 'zone-c']
const LINE = 'x'.repeat(999)
const LINE_COUNT = 3_000
const SHARDS = 16
/** Samples that three zones make, whatever the traffic: what grows with it is a label too many. */
const SAMPLES_MAX = 4_000

let server: Server
let scrape: Scrape
let rows: readonly LedgerRow[]

async function run(zone: number, args: readonly string[], input = ''): Promise<void> {
  const ran = await zonewise([...args, '--bootstrap-server', server.bootstrap(zone)], input)
  assert.equal(ran.code, 0, ran.stderr)
}

before(async () => {
  server = await startServer(temporaryFolder(), ['--shards', String(SHARDS)])
  await run(0, ['topic', 'create', 't', '--partitions', '6'])
  await run(0, ['produce', 't'], `${LINE}\n`.repeat(LINE_COUNT))
  for (const zone of [0, 1]) await run(zone, ['consume', 't', '--from-beginning', '--exit-at-end'])
  await run(2, ['consume', 't', '--from-beginning', '--exit-at-end', '--group', 'g'])
  const { host, port } = server.endpoints.http
  rows = ((await (await fetch(`http://${host}:${port}/api/ledger`)).json()) as { readonly rows: LedgerRow[] }).rows
  scrape = new Scrape(await (await fetch(`http://${host}:${port}/metrics`)).text())
})
after(async () => { await server.end('SIGKILL') })

test('metrics: every row of every table is told, and nothing else', () => {
  const onlyAfterErrors = 'zonewise_store_errors_total'
  const onlyBetweenProcesses = 'zonewise_rpc_'
  const known = METRICS_TABLES.flatMap(({ table }) => Object.values(table))
    .filter(({ name }) => !name.startsWith(onlyBetweenProcesses) &&
      name !== onlyAfterErrors && (process.platform === 'linux' || name !== 'zonewise_process_open_files'))
  scrape.types.delete(onlyAfterErrors)
  assert.deepEqual([...scrape.types].sort(), known.map(({ name, type }) => [name, type]).sort())
  assert(scrape.samples.length < SAMPLES_MAX, `${scrape.samples.length} samples`)
})

test('metrics: what was produced went into chunks, the store, commits and the journal, once', () => {
  const zone = { zone: 'zone-a' }
  const bytes = scrape.sum('zonewise_ingest_bytes_total', zone)
  assert(bytes > LINE_COUNT * LINE.length && bytes < LINE_COUNT * (LINE.length + 100), String(bytes))
  for (const other of ['zone-b', 'zone-c']) assert.equal(scrape.sum('zonewise_ingest_bytes_total', { zone: other }), 0)
  assert.equal(scrape.sum('zonewise_ingest_chunk_bytes_sum', zone), bytes)
  assert.equal(scrape.sum('zonewise_ingest_chunk_batches_sum', zone), scrape.sum('zonewise_ingest_batches_total', zone))
  const chunks = scrape.sum('zonewise_ingest_chunk_bytes_count', zone)
  for (const name of ['zonewise_ingest_put_seconds_count', 'zonewise_ingest_chunk_fill_ratio_count']) {
    assert.equal(scrape.sum(name, zone), chunks)
  }
  const put = { ...zone, operation: 'put' }
  assert.equal(scrape.sum('zonewise_store_requests_total', put), chunks)
  assert.equal(scrape.sum('zonewise_store_seconds_count', put), chunks)
  assert(scrape.sum('zonewise_store_bytes_total', put) > bytes)
  assert(scrape.sum('zonewise_ingest_commit_seconds_count', zone) > 0)
  assert.equal(scrape.sum('zonewise_ingest_undecided_bytes') + scrape.sum('zonewise_ingest_puts'), 0)
  assert.equal(scrape.sum('zonewise_ingest_log_cache_bytes', zone), bytes)
  const groups = scrape.sum('zonewise_shard_group_bytes_count')
  assert(groups > 0 && groups === scrape.sum('zonewise_journal_append_seconds_count'))
  assert.equal(scrape.sum('zonewise_shard_group_bytes_sum'), scrape.sum('zonewise_journal_append_bytes_total'))
  assert.equal(scrape.sum('zonewise_journal_sync_seconds_count'), scrape.sum('zonewise_journal_frame_bytes_count'))
  assert(scrape.sum('zonewise_journal_frame_records_sum') >= groups)
})

test('metrics: what was fetched came from the own chunks where they were written, else through the zone', () => {
  const produced = scrape.sum('zonewise_ingest_bytes_total')
  assert(scrape.sum('zonewise_fetch_bytes_total', { zone: 'zone-a', from: 'own' }) >= produced)
  assert.equal(scrape.sum('zonewise_fetch_bytes_total', { zone: 'zone-a', from: 'zone' }), 0)
  for (const zone of ['zone-b', 'zone-c']) {
    assert.equal(scrape.sum('zonewise_fetch_bytes_total', { zone, from: 'own' }), 0)
    const fetched = scrape.sum('zonewise_fetch_bytes_total', { zone, from: 'zone' })
    assert(fetched >= produced)
    assert(
      scrape.sum('zonewise_cache_hit_bytes_total', { zone }) +
        scrape.sum('zonewise_cache_miss_bytes_total', { zone }) >= fetched
    )
    assert(scrape.sum('zonewise_cache_bytes', { zone }) >= produced)
    assert(scrape.sum('zonewise_store_bytes_total', { zone, operation: 'get' }) >= produced)
    assert(scrape.sum('zonewise_reader_plans_total', { zone }) > 0)
  }
  assert.equal(scrape.sum('zonewise_fetch_read_failures_total') + scrape.sum('zonewise_fetch_plan_failures_total'), 0)
})

test('metrics: each shard has one leader and followers that hold the same, and groups and topics are counted', () => {
  const leading = scrape.samples.filter(({ name, value }) => name === 'zonewise_shard_leading' && value === 1)
  assert.deepEqual(
    leading.map(({ labels }) => labels['shard']).sort(), [...Array(SHARDS).keys(), 'catalog'].map(String).sort()
  )
  assert.equal(scrape.sum('zonewise_shard_leaderships_total'), SHARDS + 1)
  assert.equal(scrape.sum('zonewise_shard_leaderships_ended_total') + scrape.sum('zonewise_shard_quarantined'), 0)
  const { labels: { zone: home } } = leading.find(({ labels }) => labels['shard'] === 'catalog')!
  for (const zone of ZONES) {
    for (const name of ['zonewise_shard_epoch', 'zonewise_shard_sequence']) {
      assert.equal(
        scrape.sum(name, { zone, shard: 'catalog' }), scrape.sum(name, { zone: home!, shard: 'catalog' }),
        `${name} in ${zone}`
      )
    }
    assert(scrape.sum('zonewise_shard_fed_age_seconds', { zone, shard: 'catalog' }) < 10)
    assert.equal(scrape.sum('zonewise_catalog_topics', { zone }), 1)
    assert.equal(scrape.sum('zonewise_catalog_partitions', { zone }), 6)
  }
  assert(scrape.sum('zonewise_shard_feeds') >= ZONES.length - 1)
  assert(scrape.sum('zonewise_shard_journal_bytes') > 0)
  assert.equal(scrape.sum('zonewise_group_groups', { state: 'empty' }), 1)
  assert.equal(scrape.sum('zonewise_group_members'), 0)
  assert(scrape.sum('zonewise_group_rebalances_total') >= 3, 'each consumer was a group')
})

test('ledger: each row has the places, the cause and the sums, and no place that is none', () => {
  const places = new Set([...ZONES, 'unknown', 'store', 'journal'])
  assert(rows.length > 10)
  for (const row of rows) {
    assert.deepEqual(Object.keys(row), ['from', 'to', 'cause', 'payload', 'crosses', 'bytes', 'requests'])
    assert(places.has(row.from) && places.has(row.to), `${row.from} to ${row.to}`)
    assert.equal(row.crosses, ZONES.includes(row.from) && ZONES.includes(row.to) && row.from !== row.to)
  }
})

test('metrics: the ledger, the process and the clients are told as they are', () => {
  for (const cause of ['produce', 'fetch', 'chunk-put'] as const) {
    const bytes = rows.filter((row) => row.cause === cause).reduce((sum, row) => sum + row.bytes, 0)
    assert.equal(scrape.sum('zonewise_ledger_bytes_total', { cause }), bytes, cause)
  }
  assert.equal(scrape.sum('zonewise_ledger_bytes_total', { payload: 'true', crosses: 'true' }), 0)
  assert.equal(scrape.sum('zonewise_process_info'), 1)
  for (
    const name of [
      'cpu_seconds_total', 'resident_memory_bytes', 'heap_used_bytes', 'buffer_bytes', 'uptime_seconds', 'pool_bytes'
    ]
  ) {
    assert(scrape.sum(`zonewise_process_${name}`) > 0, name)
  }
  assert(scrape.sum('zonewise_gateway_requests_total', { api: 'Produce' }) >= 3)
})
