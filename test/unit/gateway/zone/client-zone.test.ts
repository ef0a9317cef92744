import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  observedThroughListener, type Standing, standingOf, withClaim, type ZoneEvidence, type ZoneFacts, zoneOfClientId,
  zonesDisagree, ZONE_UNKNOWN
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

const FACTS: ZoneFacts = {
  isKnown: (zone) => ['az1', 'az2', 'dead'].includes(zone), isServed: (zone) => ['az1', 'az2'].includes(zone),
  followsClaims: false
}
const tagged = (zone: string): ZoneEvidence => withClaim(observedThroughListener('az1'), 'client.id', zone)
const IN_AZ1: Standing = { zone: 'az1', place: 'az1', isAway: false }

test('client-zone: what is observed beats what is claimed, and the two disagree openly', () => {
  assert.deepEqual(standingOf(tagged('az2'), FACTS, null), IN_AZ1)
  assert.equal(zonesDisagree(tagged('az2')), true)
  assert.equal(zonesDisagree(tagged('az1')), false)
})

test('client-zone: whoever may follow claims tells the zone that is claimed', () => {
  const follows = { ...FACTS, followsClaims: true }
  assert.deepEqual(standingOf(tagged('az2'), follows, null), { zone: 'az2', place: 'az2', isAway: false })
  assert.deepEqual(standingOf(tagged('made-up'), follows, null), IN_AZ1)
})

test('client-zone: a claim decides where nothing is observed, if it is a zone of the cluster; else it is unknown', () => {
  const unknown: Standing = { zone: ZONE_UNKNOWN, place: ZONE_UNKNOWN, isAway: false }
  const nothing = observedThroughListener('')
  assert.deepEqual(standingOf(nothing, FACTS, null), unknown)
  const known = standingOf(withClaim(nothing, 'client.id', 'az2'), FACTS, null)
  assert.deepEqual(known, { zone: 'az2', place: 'az2', isAway: false })
  assert.deepEqual(standingOf(withClaim(nothing, 'client.id', 'made-up'), FACTS, null), unknown)
})

test('client-zone: who claims a zone without a gateway is away from it, and goes home once there is one', () => {
  const away = standingOf(tagged('dead'), FACTS, IN_AZ1)
  assert.deepEqual(away, { zone: 'dead', place: 'dead', isAway: true })
  const alive = { ...FACTS, isServed: () => true }
  assert.deepEqual(standingOf(tagged('dead'), alive, away), { zone: 'dead', place: 'dead', isAway: false })
  assert.deepEqual(standingOf(tagged('dead'), alive, null), IN_AZ1)
  assert.deepEqual(standingOf(tagged('made-up'), FACTS, null), IN_AZ1)
})

test('client-zone: client.rack decides what is counted, not what is told', () => {
  const rack = (zone: string): ZoneEvidence => withClaim(observedThroughListener('az1'), 'client.rack', zone)
  assert.deepEqual(standingOf(rack('dead'), FACTS, null), { zone: 'az1', place: 'dead', isAway: true })
  assert.deepEqual(standingOf(rack('az2'), { ...FACTS, followsClaims: true }, null), IN_AZ1)
})

test('client-zone: what a gateway of its zone said stands, whatever the client claims and however it comes', () => {
  const guest = (zone: string): ZoneEvidence => withClaim(tagged('az2'), 'gateway', zone)
  assert.equal(withClaim(guest('dead'), 'client.id', 'az2').claimed, 'dead')
  assert.equal(withClaim(guest('dead'), 'client.rack', 'az2').claimed, 'dead')
  assert.deepEqual(standingOf(guest('dead'), FACTS, null), { zone: 'dead', place: 'dead', isAway: true })
  assert.deepEqual(standingOf(guest('az2'), FACTS, null), { zone: 'az2', place: 'az2', isAway: false })
  assert.deepEqual(standingOf(guest('made-up'), FACTS, null), IN_AZ1)
  assert.equal(zonesDisagree(guest('dead')), false) // the client claims nothing
})

test('client-zone: client.rack outranks a tag, whichever comes first', () => {
  const byRack = withClaim(observedThroughListener('az1'), 'client.rack', 'az2')
  assert.equal(withClaim(byRack, 'client.id', 'az3'), byRack)
  const byTag = withClaim(observedThroughListener('az1'), 'client.id', 'az3')
  assert.equal(withClaim(byTag, 'client.rack', 'az2').claimed, 'az2')
})
