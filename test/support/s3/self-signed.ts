/** A certificate that signs itself, made anew for each run: X.509 by hand, as Node makes keys but no certificates. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export type Certificate = { readonly key: string; readonly cert: string } // PEM

const DAY_MS = 86_400_000
const OID = { commonName: '0603550403', ecdsaWithSha256: '06082a8648ce3d040302', subjectAltName: '0603551d11', basicConstraints: '0603551d13' }

function der(tag: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)))
  const length = body.length < 128 ? Buffer.from([body.length])
    : Buffer.from([0x82, body.length >> 8, body.length & 0xff])
  return Buffer.concat([Buffer.from([tag]), length, body])
}

const sequence = (...parts: readonly (Buffer | string)[]): Buffer => der(0x30, ...parts)
const utcTime = (ms: number): Buffer => der(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`))

export type CertificateOptions = { readonly address?: string; readonly validFromMs?: number; readonly validToMs?: number }

/** For one IPv4 address, valid from yesterday to tomorrow unless said otherwise. */
export function selfSigned(options: CertificateOptions = {}): Certificate {
  const { address = '127.0.0.1', validFromMs = Date.now() - DAY_MS, validToMs = Date.now() + DAY_MS } = options
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = sequence(der(0x31, sequence(OID.commonName, der(0x0c, Buffer.from('zonewise test')))))
  const altNames = sequence(der(0x87, Buffer.from(address.split('.').map(Number))))
  const extensions = sequence(
    sequence(OID.subjectAltName, der(0x04, altNames)),
    sequence(OID.basicConstraints, '0101ff', der(0x04, sequence('0101ff'))) // critical: it may sign
  )
  const serial = der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)]))
  const algorithm = sequence(OID.ecdsaWithSha256)
  const toSign = sequence(
    der(0xa0, '020102'), serial, algorithm, name, sequence(utcTime(validFromMs), utcTime(validToMs)), name,
    publicKey.export({ type: 'spki', format: 'der' }), der(0xa3, extensions)
  )
  const signature = sign('sha256', toSign, privateKey)
  const certificate = sequence(toSign, algorithm, der(0x03, '00', signature))
  const pem = `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replace(/.{64}/g, '$&\n').trim()}\n-----END CERTIFICATE-----\n`
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, cert: pem }
}
