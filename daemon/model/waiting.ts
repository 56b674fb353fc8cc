/** A node that may run stagings, as the reasons name it. */
export interface WaitingNode {
  readonly name: string
  readonly labels: readonly string[]
  /** How many it runs, and may run at once. */
  readonly running: number
  readonly concurrency: number
}

/** One of the rules of admission that keeps a queued staging from running. */
export type WaitReason =
  /** Its source is not there yet. */
  | { readonly kind: 'source' }
  /** As many run in a namespace as a policy allows; `/` is for all. */
  | { readonly kind: 'limit'; readonly namespace: string; readonly limit: number }
  /** No node works with the database. */
  | { readonly kind: 'no-node' }
  /** No node has all labels that its stagers need. */
  | { readonly kind: 'labels'; readonly labels: readonly string[]; readonly nodes: readonly WaitingNode[] }
  /** Those that have them are drained. */
  | { readonly kind: 'draining'; readonly nodes: readonly WaitingNode[] }
  /** Of those that have them and are not drained, none has a free place. */
  | { readonly kind: 'full'; readonly nodes: readonly WaitingNode[] }
  /** One that has a free place takes others first. */
  | { readonly kind: 'others' }

export const WAIT_KINDS = ['source', 'limit', 'no-node', 'labels', 'draining', 'full', 'others'] as const
export type WaitKind = (typeof WAIT_KINDS)[number]

/** How many the node that asks may run at once: its row follows with its next renewal alone. */
export interface OwnPlaces {
  readonly uuid: string
  readonly concurrency: number
}

export interface Waiting {
  /** How many come before it, of those that are kept by no limit and wait for no source, whichever labels they need. */
  readonly before: number
  /** Empty if a node takes it at its next look. */
  readonly reasons: readonly WaitReason[]
}
