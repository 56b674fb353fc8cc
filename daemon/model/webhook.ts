import type { StagingState } from './staging.js'

/** The states that a webhook can be told of. */
export const WEBHOOK_STATES = ['succeeded', 'failed', 'cancelled'] as const satisfies readonly StagingState[]
export type WebhookState = (typeof WEBHOOK_STATES)[number]

/** Where somebody wants to be told of the ends of stagings. Its secret is not part of it. */
export interface Webhook {
  readonly uuid: string
  /** It is told of packages in this namespace and in those below it. */
  readonly namespace: string
  readonly url: string
  readonly on: readonly WebhookState[]
  readonly createdAt: string
  /** How many deliveries wait for it. */
  readonly waiting: number
  /** What came of the last delivery that was attempted or dropped. */
  readonly last: DeliveryOutcome | undefined
}

/**
 * `delivered`: the receiver has accepted it. `waiting`: an attempt has failed, and there will be another one. The others end a
 * delivery: the receiver does not want it, or its address is not allowed (`refused`); the attempts are used up
 * (`given-up`); it was too old, or too many were waiting (`dropped`).
 */
export const DELIVERY_RESULTS = ['delivered', 'waiting', 'refused', 'given-up', 'dropped'] as const
export type DeliveryResult = (typeof DELIVERY_RESULTS)[number]

export interface DeliveryOutcome {
  readonly result: DeliveryResult
  /** UUID of the staging. */
  readonly staging: string
  readonly at: string
  readonly attempts: number
  /** What came back, in one sentence. */
  readonly message: string
}

/** A delivery that waits. */
export interface Delivery {
  /** The same in all of its attempts. */
  readonly id: string
  readonly staging: string
  readonly createdAt: string
  readonly attempts: number
  readonly webhook: { readonly uuid: string; readonly url: string; readonly secret: string }
}
