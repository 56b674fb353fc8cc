import type { Capability } from '../metadata.js'
import type { TextPosition } from '../syntax/syntax-error.js'

/** A policy document, read: its claims in their order, each with the realm that it stands on. */
export type Policy = readonly Statement[]

export interface Statement {
  readonly realm: Realm
  /** All of them have to hold; those of nested blocks, from the outermost. */
  readonly conditions: readonly Condition[]
  readonly claim: Claim
  readonly at: TextPosition
}

/** `job::/prod`: the namespace and all below it; `job::/prod::web`: that one thing. */
export interface Realm {
  readonly kind: string
  readonly namespace: string
  readonly name: string | undefined
}

/** `dependency equals runtime.ruby`. */
export interface Condition {
  /** `equals` is also written `==`. */
  readonly comparator: 'equals' | 'fqnMatch'
  readonly dependency: Capability
}

export type Claim =
  | { readonly kind: 'allow' | 'default' | 'lock' | 'retire'; readonly target: Target }
  | { readonly kind: 'permit'; readonly verbs: readonly string[] }
  | { readonly kind: 'role'; readonly role: string }
  /** Of one package, or of all packages of the realm together. */
  | { readonly kind: 'quota'; readonly of: 'package.size' | 'total.package.size'; readonly bytes: number }

/** One package, or, without a name, every package of the namespace and below. */
export interface Target {
  readonly namespace: string
  readonly name: string | undefined
}

/** Whether `inner` is `outer` or below it. */
export function isWithin(inner: string, outer: string): boolean {
  return outer === '/' || inner === outer || inner.startsWith(`${outer}/`)
}
