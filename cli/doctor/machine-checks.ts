/** Checks of this machine: limit of open files, folders, ports. Nothing is made or changed. */
import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { bytesText } from '../command/text-table.ts'
import { nodeFiles } from '../platform/node-files.ts'
import { newNodeNetwork } from '../platform/node-network.ts'
import { connectionsWithin, requireOpenFiles } from '../platform/open-files.ts'
import { fail, failure, type Finding, ok, warn } from './finding.ts'

export type OpenFilesWanted = Parameters<typeof connectionsWithin>[1]

export function checkOpenFiles(wanted: OpenFilesWanted): Finding {
  const check = 'open files'
  const why = 'every connection, journal file and object that is read takes one'
  try {
    const limit = requireOpenFiles()
    if (limit === null) return ok(check, 'there is no limit of open files')
    const room = connectionsWithin(limit, wanted)
    const found = `${limit} files may be open, which leaves room for ${room} client connections`
    if (room >= wanted.connectionsMax) return ok(check, found)
    const cure = `raise the limit (ulimit -n), or lower --connections-max from ${wanted.connectionsMax}`
    return warn(check, { found, why, cure })
  } catch (error) {
    return failure(check, error, why)
  }
}

/** A folder that will be written: it, or the nearest that exists above it. */
export async function checkFolder(check: string, path: string, freeBytesMin: number): Promise<Finding> {
  let there = resolve(path)
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there)
  const shown = there === resolve(path) ? there : `${resolve(path)} is not there yet; ${there}`
  try {
    accessSync(there, constants.W_OK | constants.X_OK)
  } catch {
    const cure = 'make it writable for this user, or give another folder'
    return fail(check, { found: `${shown} cannot be written`, why: 'data is kept there', cure })
  }
  try {
    const free = await nodeFiles.freeBytes(there)
    const found = `${shown} can be written and has ${bytesText(free)} free`
    if (free >= freeBytesMin) return ok(check, found)
    const why = `below ${bytesText(freeBytesMin)} (--store-free-bytes-min) produce is refused`
    return fail(check, { found, why, cure: 'free space, or give a folder on a bigger disk' })
  } catch (error) {
    return failure(check, error, 'produce is refused when its disk is full')
  }
}

export type PortWanted = { readonly name: string; readonly host: string; readonly port: number }

/** `isOwn`: this node runs already, so that what listens there is most likely itself. */
export async function checkPort({ name, host, port }: PortWanted, isOwn: boolean): Promise<Finding> {
  const check = 'ports'
  const shown = `${name} on ${host}:${port}`
  if (port === 0) return ok(check, `${shown}, which takes one that is free`)
  try {
    const listening = await newNodeNetwork().listen(host, port, (socket) => {
      socket.destroy()
      return { data() {}, drain() {}, closed() {} }
    })
    await listening.close()
    return ok(check, `${shown}: free`)
  } catch (error) {
    if (error instanceof ZonewiseError && error.code === 'PORT_IN_USE' && isOwn) {
      return ok(check, `${shown}: in use, by the node that runs already`)
    }
    return failure(check, error, `the node cannot listen for ${name === 'HTTP' ? 'health and other nodes' : 'clients'}`)
  }
}
