/** Signs requests (SigV4) with the signer of the SDK, which keeps the key of the day; hashes are the ones of Node. */
import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import type { Clock } from '../../runtime/runtime.ts'
import type { Credentials } from './credentials.ts'

export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD'

type HashedData = string | ArrayBuffer | ArrayBufferView

class Sha256 {
  readonly #secret: HashedData | undefined
  readonly #parts: (string | NodeJS.ArrayBufferView)[] = []

  constructor(secret?: HashedData) {
    this.#secret = secret
  }

  update(data: HashedData): void {
    this.#parts.push(viewOf(data))
  }

  async digest(): Promise<Uint8Array> {
    if (typeof this.#secret === 'string') return rememberedHmac(this.#secret, this.#parts)
    const hash = this.#secret === undefined ? createHash('sha256') : createHmac('sha256', viewOf(this.#secret))
    for (const part of this.#parts) hash.update(part)
    return hash.digest()
  }

  reset(): void {
    this.#parts.length = 0
  }
}

let remembered = { secret: '', text: '', digest: new Uint8Array(0) }

/**
 * The signer looks for its key of the day under HMAC(secret key, key id), a sum it makes anew for each request: the
 * last one is kept. (Of its sums only that one and the first step to a new key of the day have a text as secret.)
 */
function rememberedHmac(secret: string, parts: readonly (string | NodeJS.ArrayBufferView)[]): Uint8Array {
  const textOf = (part: string | NodeJS.ArrayBufferView): string =>
    (typeof part === 'string' ? part : Buffer.from(part as Uint8Array).toString('latin1'))
  const text = parts.map(textOf).join('')
  if (remembered.secret !== secret || remembered.text !== text)
    remembered = { secret, text, digest: createHmac('sha256', secret).update(text, 'latin1').digest() }
  return remembered.digest
}

function viewOf(data: HashedData): string | NodeJS.ArrayBufferView {
  return data instanceof ArrayBuffer ? new Uint8Array(data) : (data as string | NodeJS.ArrayBufferView)
}

export type SignerOptions = {
  readonly host: string // with its port, as in the header
  readonly region: string
  readonly service: string
  readonly clock: Clock
}

export class Signer {
  readonly #host: string
  readonly #clock: Clock
  readonly #signature: SignatureV4
  #credentials: Credentials | null = null // of the call that is being signed

  constructor({ host, region, service, clock }: SignerOptions) {
    this.#host = host
    this.#clock = clock
    this.#signature = new SignatureV4({
      region, service, sha256: Sha256, uriEscapePath: false, applyChecksum: false,
      credentials: async () => this.#credentials!
    })
  }

  /** @returns `headers` with host, date, token and signature; `path` is escaped already and has no query. */
  async sign(
    credentials: Credentials, method: string, path: string, headers: Readonly<Record<string, string>>
  ): Promise<Record<string, string>> {
    this.#credentials = credentials // read before the first await of the signer
    const signed = await this.#signature.sign(
      { method, protocol: 'https:', hostname: this.#host, path, query: {}, headers: { host: this.#host, ...headers } },
      { signingDate: new Date(this.#clock.nowMs()) }
    )
    return signed.headers
  }
}

/** SHA-256 of a body, as the header `x-amz-content-sha256` has it. */
export function payloadHash(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}
