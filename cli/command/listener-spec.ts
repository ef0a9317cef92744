/** Reads `--listener zone=local-az1,port=19092,advertised=HOST:PORT`. */
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import type { ListenerSpec } from '../node/types.ts'
import { splitHostPort } from './arguments.ts'

const FIELDS = ['zone', 'port', 'host', 'advertised', 'name'] as const
export const ANY_HOST = new Set(['0.0.0.0', '::', '*'])

/** Three zones on this machine. */
export const DEFAULT_LISTENERS: readonly ListenerSpec[] = [19_092, 29_092, 39_092].map((port, i) => {
  const zone = `local-az${i + 1}`
  return { name: zone, zone, host: '127.0.0.1', port, advertisedHost: '127.0.0.1', advertisedPort: 0 }
})

/** @throws ZonewiseError SETTING_INVALID */
export function parseListener(spec: string): ListenerSpec {
  const refuse = (why: string): never => {
    throw new ZonewiseError('SETTING_INVALID', 'a listener is not understood', { listener: `"${spec}"`, why })
  }
  const fields = new Map<string, string>()
  for (const part of spec.split(',')) {
    const equals = part.indexOf('=')
    const field = equals < 0 ? part : part.slice(0, equals)
    if (equals < 0 || !FIELDS.some((known) => known === field)) refuse(`"${part}" is none of ${FIELDS.join('=, ')}=`)
    if (fields.has(field)) refuse(`${field} stands twice`)
    fields.set(field, part.slice(equals + 1))
  }
  const zone = fields.get('zone') ?? ''
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(zone)) refuse('zone= must be an availability zone id, such as use1-az1')
  const portText = fields.get('port') ?? ''
  const port = Number(portText)
  if (!/^\d{1,5}$/.test(portText) || port > 65_535) refuse('port= must be a whole number from 0 to 65535')
  const host = fields.get('host') ?? '127.0.0.1'
  if (host === '') refuse('host= is empty')
  const advertised = fields.get('advertised')
  if (advertised === undefined && ANY_HOST.has(host)) {
    refuse(`host=${host} needs advertised=HOST:PORT, what clients connect to`)
  }
  const address = advertised === undefined
    ? { host, port: 0 }
    : splitHostPort(advertised) ?? refuse('advertised= must be HOST:PORT')
  return {
    name: fields.get('name') ?? zone, zone, host: host === '*' ? '0.0.0.0' : host, port,
    advertisedHost: address.host, advertisedPort: address.port
  }
}

/** @throws ZonewiseError SETTING_INVALID where two listeners have one zone, name or port. */
export function parseListeners(specs: readonly string[]): readonly ListenerSpec[] {
  if (specs.length === 0) return DEFAULT_LISTENERS
  const listeners = specs.map(parseListener)
  const seen = new Set<string>()
  for (const { name, zone, host, port } of listeners) {
    const keys = [`zone ${zone}`, `name ${name}`, ...(port === 0 ? [] : [`port ${host}:${port}`])]
    for (const key of keys) {
      if (seen.has(key)) throw new ZonewiseError('SETTING_INVALID', 'two listeners are alike', { both: key })
      seen.add(key)
    }
  }
  return listeners
}
