export const NODE_STATES = ['active', 'draining'] as const
/** A node that is `draining` takes no staging; those that it runs go on. */
export type NodeState = (typeof NODE_STATES)[number]

/** What a node says of itself. A node is one state directory. */
export interface NodeIdentity {
  /** That of its state directory. */
  readonly uuid: string
  /** For people; not always unique. */
  readonly name: string
  /** It runs the stagings whose stagers need no other label than these. */
  readonly labels: readonly string[]
  /** Where its control API answers, as host:port; undefined if it has a socket only. */
  readonly address: string | undefined
  /** Where other nodes pass requests on to it, as host:port; undefined if they cannot. */
  readonly nodeAddress?: string | undefined
  /** How many stagings it runs at once. */
  readonly concurrency: number
}

/** A period in which a node may run stagings. The database ends it when its lease is over, when the node closes it, or begins another one. */
export interface Term {
  /** Increases with each term of any node, and is not used twice. */
  readonly number: number
  readonly node: string
  /** Of the node, during the term. */
  readonly labels: readonly string[]
}

export interface FleetNode extends NodeIdentity {
  readonly state: NodeState
  readonly firstSeenAt: string
  /** When it last began or renewed its term, by the clock of the database. */
  readonly lastSeenAt: string
  /** The number of its term. Undefined if it has none: it is stopped, or its lease was over. */
  readonly term: number | undefined
  /** How many stagings it runs. */
  readonly running: number
}
