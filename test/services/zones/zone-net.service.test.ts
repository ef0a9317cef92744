/**
 * Goal: the kernel counts what passes between two zones, packets that are cut do not arrive, and nothing is left.
 * Method: a server in one namespace, a client in another.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { ZoneNet } from '#infra/local/zone-net.ts'

const PORT = 4000
const BYTES = 1_000_000
const HEADERS_MAX = 1.1 // of payload, with segments of 1,448 bytes and the acknowledgements

const SERVER = `require('node:net').createServer((s) => { s.on('error', () => {}); s.end(Buffer.alloc(${BYTES})) })
  .listen(${PORT}, '0.0.0.0', () => { console.log('listening') })`
const CLIENT = `let n = 0; const s = require('node:net').connect(${PORT}, process.argv[1])
  s.setTimeout(1_500, () => { console.log('no answer'); s.destroy() }); s.on('data', (d) => { n += d.length })
  s.on('end', () => { console.log(n) })`

const obstacle = ZoneNet.obstacle()
test('zone-net: counts pairs, cuts one way, heals, leaves nothing', { skip: obstacle ?? false }, async () => {
  const net = ZoneNet.create(['a', 'b'])
  let server: ChildProcess | null = null
  try {
    const serve = net.on('b', [process.execPath, '-e', SERVER])
    server = spawn(serve.file, [...serve.args], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(server.stdout!, 'data')
    const ask = (): string => {
      const { file, args } = net.on('a', [process.execPath, '-e', CLIENT, net.host('b').address])
      return execFileSync(file, [...args]).toString().trim()
    }
    assert.equal(ask(), String(BYTES))
    const [there, back] = net.pairs()
    assert.deepEqual([there!.from, there!.to, back!.from, back!.to], ['a', 'b', 'b', 'a'])
    assert(back!.bytes > BYTES && back!.bytes < BYTES * HEADERS_MAX, String(back!.bytes))
    assert(there!.bytes < BYTES / 20, String(there!.bytes))
    for (const [from, to] of [['a', 'b'], ['b', 'a']] as const) {
      net.cut(from, to)
      assert.equal(ask(), 'no answer')
      net.heal()
    }
    assert.equal(ask(), String(BYTES))
  } finally {
    server?.kill()
    net.remove()
  }
  const left = execFileSync('ip', ['netns', 'list']).toString()
  for (const { namespace } of net.hosts) assert(!left.includes(namespace), left)
})

test('zone-net: what was removed can be made again at once', { skip: obstacle ?? false }, () => {
  for (let i = 0; i < 10; i++) ZoneNet.create(['a', 'b', 'c']).remove()
})
