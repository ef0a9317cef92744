import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  observedThroughListener, resolveZone, withClaim, zoneOfClientId, zonesDisagree, ZONE_UNKNOWN
} from '#gateway/zone/client-zone.ts'

test('client-zone: tags of every dialect are read from client.id', () => {
  assert.equal(zoneOfClientId('zone=use1-az1'), 'use1-az1')
  assert.equal(zoneOfClientId('app,ws_az=us-east-1a,ws_x=1'), 'us-east-1a')
  assert.equal(zoneOfClientId('automq_az=cn-1a&automq_type=c'), 'cn-1a')
  assert.equal(zoneOfClientId('svc;diskless_az=az2'), 'az2')
})

test('client-zone: what only looks like a tag is none', () => {
  for (
    const clientId of [null, '', 'zone=', 'my_zone=az1', 'timezone=utc', 'ozone-az1', `zone=az1${'x'.repeat(5_000)}`]
  ) {
    assert.equal(zoneOfClientId(clientId), null, String(clientId).slice(0, 20))
  }
})

test('client-zone: what is observed beats what is claimed, and the two disagree openly', () => {
  const evidence = withClaim(observedThroughListener('az1'), 'client.id', 'az2')
  assert.equal(resolveZone(evidence), 'az1')
  assert.equal(zonesDisagree(evidence), true)
  assert.equal(zonesDisagree(withClaim(observedThroughListener('az1'), 'client.id', 'az1')), false)
})

test('client-zone: a claim decides where nothing is observed, and nothing means unknown', () => {
  assert.equal(resolveZone(observedThroughListener('')), ZONE_UNKNOWN)
  assert.equal(resolveZone(withClaim(observedThroughListener(''), 'client.id', 'az3')), 'az3')
})

test('client-zone: client.rack outranks a tag, whichever comes first', () => {
  const byRack = withClaim(observedThroughListener('az1'), 'client.rack', 'az2')
  assert.equal(withClaim(byRack, 'client.id', 'az3'), byRack)
  const byTag = withClaim(observedThroughListener('az1'), 'client.id', 'az3')
  assert.equal(withClaim(byTag, 'client.rack', 'az2').claimed, 'az2')
})
