/** What one request to a remote store was and cost: a call may need several, by retries and hedges. */
export type StoreCall = 'put' | 'get' | 'head' | 'list' | 'delete'

export type StoreAttempt = {
  readonly call: StoreCall
  readonly key: string // of a list its prefix
  readonly sentBytes: number // on the socket, below TLS; headers, and of a new connection what made it, included
  readonly receivedBytes: number
}

/** Told once for each attempt, whatever its end. */
export type CountAttempt = (attempt: StoreAttempt) => void
