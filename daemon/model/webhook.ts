import type { StagingState } from './staging.js'

/** The states that a webhook can be told of. */
export const WEBHOOK_STATES = ['succeeded', 'failed', 'cancelled'] as const satisfies readonly StagingState[]
export type WebhookState = (typeof WEBHOOK_STATES)[number]

/** How many webhooks a call that submits a staging may name. */
export const MOST_OF_A_CALL = 4

/** Who is told, with the secret that its deliveries are signed with, as `WebhookSecrets` has sealed it. */
export interface Receiver {
  readonly uuid: string
  readonly url: string
  readonly sealed: string
}

/** What of its URL everybody may see: paths and queries of receivers often are secrets. */
export function originOf({ url }: Pick<Receiver, 'url'>): string {
  return new URL(url).origin
}

/** Where somebody wants to be told of the ends of stagings. Its secret is not part of it. */
export interface Webhook {
  readonly uuid: string
  /** It is told of packages in this namespace and in those below it; of a call: that of the package. */
  readonly namespace: string
  /** UUID of the only one that it is told of, which a call has submitted with it. Undefined for one of a namespace. */
  readonly staging: string | undefined
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
  /** Deliveries of one lane wait for each other: a UUID of a webhook, or a namespace for those that its calls have named. */
  readonly lane: string
  readonly webhook: Receiver
}
