/** What a node of a cluster says of itself, from its settings. */
import type { NodeInfo } from '#shared/cluster/membership.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { ClusterSettings } from '../cluster-config.ts'
import type { ListenerSpec } from './types.ts'

const ZONE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

type Given = { readonly clusterSettings: ClusterSettings; readonly listeners: readonly ListenerSpec[] }
type Own = Pick<NodeInfo, 'nodeId' | 'zone' | 'roles' | 'listeners'>

/** @throws ZonewiseError SETTING_INVALID */
export function ownInfo({ clusterSettings, listeners }: Given): Own {
  const refuse = (why: string): never => {
    throw new ZonewiseError('SETTING_INVALID', 'this node cannot join a cluster', { why })
  }
  const { nodeId } = clusterSettings
  if (nodeId === 0) refuse('with --journal redis:// each node needs an id of its own: --node-id 1, 2, ...')
  const names = clusterSettings.roles.split(',').map((role) => role.trim())
  for (const name of names) {
    if (name !== 'gateway' && name !== 'broker') refuse(`--roles: "${name}" is neither gateway nor broker`)
  }
  const zones = new Set(listeners.map(({ zone }) => zone))
  const zone = clusterSettings.zone === '' ? listeners[0]?.zone ?? '' : clusterSettings.zone
  if (zone === '') refuse('its zone is not known: --zone use1-az1')
  if (!ZONE.test(zone)) refuse(`--zone: "${zone}" is no availability zone id, such as use1-az1`)
  for (const other of zones) {
    if (other !== zone) refuse(`a node is in one zone: its listeners name ${other} and ${zone}`)
  }
  const roles = { gateway: names.includes('gateway'), broker: names.includes('broker') }
  if (roles.gateway && listeners.length === 0) refuse('a gateway needs a --listener')
  return { nodeId, zone, roles, listeners: [] }
}
