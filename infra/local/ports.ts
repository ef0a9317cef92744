/** Ports of this machine. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

/** Any port that nobody has at this moment. */
export async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address === 'object' && address !== null) return address.port
  throw new ZonewiseError('PORT_IN_USE', 'no port is free', { host })
}

/** @throws ZonewiseError PORT_IN_USE: `what` it was to be for */
export async function requireFreePort(host: string, port: number, what: string): Promise<void> {
  const server = createServer()
  try {
    server.listen(port, host)
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ZonewiseError('PORT_IN_USE', `${what} cannot listen`, { host, port, reason: code }, cause)
  }
}
