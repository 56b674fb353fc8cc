/** States, each declared once; see staging.ts. */

export const BOOTSTRAP_STATES = ['running', 'succeeded', 'failed', 'cancelled'] as const
export type BootstrapState = (typeof BOOTSTRAP_STATES)[number]

/**
 * `current`: there already, made from the same recipe. `kept`: there already, and not made from a recipe, so it is left
 * alone. `skipped`: something that it needs has failed.
 */
export const ITEM_STATES = ['waiting', 'working', 'current', 'made', 'kept', 'failed', 'skipped', 'cancelled'] as const
export type ItemState = (typeof ITEM_STATES)[number]

/** One package, or one stager with its pipeline, that a bootstrap sees to. */
export interface BootstrapItem {
  /** FQN. */
  readonly name: string
  readonly state: ItemState
  /** UUID of the staging that builds it. */
  readonly staging: string | undefined
  /** Why it failed or was skipped. */
  readonly message: string | undefined
}

/** A pass over what ships with stagerd, to make what the node lacks. */
export interface Bootstrap {
  readonly uuid: string
  readonly state: BootstrapState
  /** Names of the pipelines that were asked for; empty for all. */
  readonly pipelines: readonly string[]
  /** Packages and stagers in an order in which they can be made. */
  readonly items: readonly BootstrapItem[]
  /** Why it failed. */
  readonly message: string | undefined
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly endedAt: string | undefined
}
