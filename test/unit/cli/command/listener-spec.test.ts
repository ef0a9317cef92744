import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_LISTENERS, parseListener, parseListeners } from '#cli/command/listener-spec.ts'

test('listener-spec: three local zones without any', () => {
  assert.deepEqual(parseListeners([]).map(({ zone, host, port }) => [zone, host, port]),
    [['local-az1', '127.0.0.1', 19092], ['local-az2', '127.0.0.1', 29092], ['local-az3', '127.0.0.1', 39092]])
  assert.equal(parseListeners([]), DEFAULT_LISTENERS)
})

test('listener-spec: zone and port are enough; what clients connect to may differ', () => {
  assert.deepEqual(parseListener('zone=a,port=0'),
    { name: 'a', zone: 'a', host: '127.0.0.1', port: 0, advertisedHost: '127.0.0.1', advertisedPort: 0 })
  assert.deepEqual(parseListener('name=x,port=9092,zone=use1-az1,host=0.0.0.0,advertised=k.example.com:19092'),
    {
      name: 'x', zone: 'use1-az1', host: '0.0.0.0', port: 9092, advertisedHost: 'k.example.com', advertisedPort: 19092
    })
})

test('listener-spec: what is not understood is refused', () => {
  const bad = ['', 'zone=a', 'port=1', 'zone=,port=1', 'zone=a,port=x', 'zone=a,port=65536', 'zone=a,port=1,host=',
    'zone=a,port=1,host=0.0.0.0', 'zone=a,port=1,advertised=x', 'zone=a,port=1,zone=b', 'zone=a,port=1,color=red']
  for (const spec of bad) assert.throws(() => parseListener(spec), { code: 'SETTING_INVALID' }, spec)
  const alike = [['zone=a,port=0', 'zone=a,port=0'], ['zone=a,port=1', 'zone=b,port=1'], [
    'zone=a,port=0,name=x', 'zone=b,port=0,name=x'
  ]]
  for (const specs of alike) assert.throws(() => parseListeners(specs), { code: 'SETTING_INVALID' }, specs.join(' '))
})
