/**
 * Contract of the registry: which nodes live, what each announces, and a version that rises with every change. It gives
 * liveness and routing only; safety never depends on it. Every implementation passes test/conformance/registry.
 * Time is the registry's own: an entry that was not renewed within its time to live is gone for everybody at once.
 */
export type NodeEntry = {
  readonly nodeId: number
  readonly nodeEpoch: number
  /** What the node announces (announcement.ts); opaque here. A change of it is a change of the registry. */
  readonly content: string
}

export type RegistryState = { readonly version: number; readonly entries: readonly NodeEntry[] } // ascending nodeId

/** What changes all the time and is no change of the registry. */
export type Vitals = { readonly clockMs: number; readonly load: number }

export type Renewal =
  | {
    readonly kind: 'renewed'; readonly version: number; readonly state: RegistryState | null // null: still `known`
    readonly wasGone: boolean // the entry that this registry object had announced was not there any more
  }
  | { readonly kind: 'superseded'; readonly nodeEpoch: number } // a newer life of the node is there: nothing was written

export type RenewOptions = { readonly knownVersion: number; readonly ttlMs: number; readonly vitals: Vitals }

export type Registry = {
  /**
   * Announces a node, or renews it. @throws ZonewiseError REGISTRY_UNAVAILABLE: the outcome is unknown
   */
  renew(own: NodeEntry, options: RenewOptions): Promise<Renewal>
  /** Takes a node off, unless a newer life of it is there. @throws as renew */
  remove(nodeId: number, nodeEpoch: number): Promise<void>
  /** Who holds a node id now, and when that ends unless it is renewed; null: nobody. @throws as renew */
  holder(nodeId: number): Promise<{ readonly nodeEpoch: number; readonly expiresInMs: number } | null>
  /** All that live, with their vitals by node id. @throws as renew */
  read(): Promise<RegistryState & { readonly vitals: ReadonlyMap<number, Vitals> }>
  /** Calls `fn` soon after a change, as a hint that may be missed; returns the way to stop. */
  onChange(fn: () => void): () => void
}
